package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks JSON that lies in memory as a whole. What it hands out are
// slices of that memory, so they live as long as it does; only strings with
// escapes are copied. It uses jsontext's strict rules: no duplicate names in an
// object, no invalid UTF-8, at most 10,000 levels.
type reader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
	raw []byte

	entry entry // the element at hand, see Pod.each
}

// reset starts over on raw. The reader keeps its memory.
func (r *reader) reset(raw []byte) {
	r.raw = raw
	r.buf = *bytes.NewBuffer(raw)
	r.dec.Reset(&r.buf)
}

// kind is the first byte of the next value: '{', '[', '"', 'n'... or '}' and
// ']' at an end.
func (r *reader) kind() jsontext.Kind { return r.dec.PeekKind() }

// value takes the next value as it stands in the input.
func (r *reader) value() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, malformed(err)
	}
	// The decoder's own slice is only promised until its next call; the same
	// bytes of our input are ours for good.
	end := int(r.dec.InputOffset())
	return r.raw[end-len(v) : end], nil
}

// text takes the next value, which must be a string; null counts as "".
func (r *reader) text() ([]byte, error) {
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	switch v[0] {
	case 'n':
		return nil, nil
	case '"':
		return unquote(v)
	}
	return nil, fmt.Errorf("%w: a value is not a string", ErrMalformed)
}

func unquote(v []byte) ([]byte, error) {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], nil
	}
	out, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return nil, malformed(err)
	}
	return out, nil
}

// object takes the next value, which must be an object; null counts as {}. For
// each member, visit must take exactly one value.
func (r *reader) object(visit func(name []byte) error) error {
	if r.kind() == 'n' {
		_, err := r.value()
		return err
	}
	if err := r.delimiter('{'); err != nil {
		return err
	}
	for r.kind() == '"' {
		name, err := r.text()
		if err != nil {
			return err
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return r.delimiter('}')
}

// array takes the next value, which must be an array; null counts as []. For
// each element, visit must take exactly one value.
func (r *reader) array(visit func(index int) error) error {
	if r.kind() == 'n' {
		_, err := r.value()
		return err
	}
	if err := r.delimiter('['); err != nil {
		return err
	}
	for i := 0; r.kind() != ']' && r.kind() != 0; i++ {
		if err := visit(i); err != nil {
			return err
		}
	}
	return r.delimiter(']')
}

func (r *reader) delimiter(want jsontext.Kind) error {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return malformed(err)
	}
	if tok.Kind() != want {
		return fmt.Errorf("%w: %v where %v belongs", ErrMalformed, tok.Kind(), want)
	}
	return nil
}

// end checks that there is nothing more.
func (r *reader) end() error {
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", ErrMalformed)
	}
	return nil
}

// skip takes the next value and forgets it.
func (r *reader) skip() error {
	_, err := r.value()
	return err
}

// malformed keeps where and what the syntax error is, but drops the decoder's
// error itself, whose text may repeat input.
func malformed(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("%w: broken JSON at byte %d", ErrMalformed, syntax.ByteOffset)
	}
	return fmt.Errorf("%w: broken JSON", ErrMalformed)
}
