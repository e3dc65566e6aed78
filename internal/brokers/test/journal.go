package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// line is one change in the ledger's file: a request (once when it came, once when
// it was over), or what has become of an instance or binding. Its JSON is for this
// broker alone.
type line struct {
	Entry        *Entry    `json:"entry,omitempty"`
	Dropped      uint64    `json:"dropped,omitempty"`
	Instance     *Instance `json:"instance,omitempty"`
	InstanceGone *string   `json:"instanceGone,omitempty"`
	Binding      *Binding  `json:"binding,omitempty"`
	BindingGone  []string  `json:"bindingGone,omitempty"`
	Grave        *grave    `json:"grave,omitempty"`
	// Counters; the largest that was read holds.
	Issued  int `json:"issued,omitempty"`
	Revoked int `json:"revoked,omitempty"`
	Works   int `json:"works,omitempty"`
}

// journal writes changes to a file, or nowhere. The broker's lock guards it.
type journal struct {
	path   string
	file   *os.File
	size   int64
	limit  int64 // of size, before the file is written anew
	least  int64 // of limit; else it is three times what there is to say
	log    *slog.Logger
	all    func(put func(line)) // everything, for a file written anew
	failed error                // why the last line is not in the file
}

// put writes a line. If it cannot, requests are still answered: the state says so.
func (j *journal) put(l line) {
	if j.file == nil {
		return
	}
	raw, err := json.Marshal(l)
	if err == nil {
		raw = append(raw, '\n')
		_, err = j.file.Write(raw)
	}
	if err != nil && j.failed == nil {
		j.log.Error("The ledger's file could not be written", "error", err.Error())
	}
	j.failed = err
	if j.size += int64(len(raw)); j.size > j.limit {
		j.rewrite()
	}
}

// rewrite leaves out what newer lines have overtaken.
func (j *journal) rewrite() {
	if err := j.writeAnew(); err != nil {
		j.failed = err
		j.limit = 2 * j.size // not again with the next line
		j.log.Error("The ledger's file could not be written anew", "error", err.Error())
	}
}

// writeAnew fills a second file and puts it in the place of the first.
func (j *journal) writeAnew() error {
	fresh, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return fmt.Errorf("write the ledger anew: %w", err)
	}
	var size int64
	out := bufio.NewWriter(fresh)
	j.all(func(l line) {
		raw, encodeErr := json.Marshal(l)
		n, writeErr := out.Write(append(raw, '\n'))
		err, size = errors.Join(err, encodeErr, writeErr), size+int64(n)
	})
	err = errors.Join(err, out.Flush(), fresh.Sync())
	if err == nil {
		err = os.Rename(fresh.Name(), j.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the ledger anew: %w", err), fresh.Close(), os.Remove(fresh.Name()))
	}
	if j.file != nil {
		_ = j.file.Close() // nobody reads it any more
	}
	j.file, j.size, j.limit = fresh, size, max(j.least, 3*size)
	return nil
}

// openJournal reads the file, if it is there, into the broker, and goes on writing it.
func (b *Broker) openJournal(path string) error {
	b.journal = &journal{log: b.opts.Logger, path: path, all: b.lines, least: int64(b.opts.LedgerBytes)}
	if path == "" {
		return nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chose the path
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the ledger: %w", err)
	}
	if err := b.read(raw); err != nil {
		return fmt.Errorf("read the ledger %s: %w; move it away to begin a new one", path, err)
	}
	return b.journal.writeAnew()
}

// read takes in a file. A last line without its end was being written when the
// process was killed, and is left out.
func (b *Broker) read(raw []byte) error {
	in := bufio.NewReader(bytes.NewReader(raw))
	for number := 1; ; number++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("line %d is none of a ledger: %w", number, err)
		}
		if l.Entry != nil {
			b.ledger.take(l.Entry)
		}
		b.ledger.dropped = max(b.ledger.dropped, l.Dropped)
		b.engine.restore(l)
	}
}

// restore takes in what a line says of the state.
func (s *state) restore(l line) {
	switch {
	case l.Instance != nil:
		i := l.Instance
		if old := s.instances[i.ID]; old != nil {
			i.counted = old.counted
		}
		s.instances[i.ID] = i
		s.unbury(key{instance: i.ID})
		s.count(&i.counted, i.size())
	case l.Binding != nil:
		b := l.Binding
		k := key{b.InstanceID, b.ID}
		if old := s.bindings[k]; old != nil {
			b.counted = old.counted
		}
		s.bindings[k] = b
		s.unbury(k)
		s.count(&b.counted, b.size())
	case l.InstanceGone != nil:
		if i := s.instances[*l.InstanceGone]; i != nil {
			s.count(&i.counted, 0)
			delete(s.instances, i.ID)
		}
		s.bury(key{instance: *l.InstanceGone}, l.Grave)
	case len(l.BindingGone) == 2:
		k := key{l.BindingGone[0], l.BindingGone[1]}
		if b := s.bindings[k]; b != nil {
			s.count(&b.counted, 0)
			delete(s.bindings, k)
		}
		s.bury(k, l.Grave)
	}
	s.issued, s.revoked, s.works = max(s.issued, l.Issued), max(s.revoked, l.Revoked), max(s.works, l.Works)
}

// lines are everything there is to say.
func (b *Broker) lines(put func(line)) {
	s := b.engine.state
	put(line{Dropped: b.ledger.dropped, Issued: s.issued, Revoked: s.revoked, Works: s.works})
	for _, e := range b.ledger.entries {
		put(line{Entry: e})
	}
	for _, k := range s.buried {
		if k.binding == "" {
			put(line{InstanceGone: &k.instance, Grave: s.graves[k]})
		} else {
			put(line{BindingGone: []string{k.instance, k.binding}, Grave: s.graves[k]})
		}
	}
	for _, i := range s.instances {
		put(line{Instance: i})
	}
	for _, bind := range s.bindings {
		put(line{Binding: bind})
	}
}

// renew writes the file anew because what it says no longer holds.
func (j *journal) renew() {
	if j.file != nil {
		j.rewrite()
	}
}
