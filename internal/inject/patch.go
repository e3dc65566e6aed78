package inject

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPatch is how many bytes a patch may have, but for what one container gets
// beyond it. No Pod can hold more: etcd takes objects of 1.5 MiB.
const maxPatch = 1 << 20

// patch is a JSON patch (RFC 6902) being written. It only ever adds.
type patch struct{ buf []byte }

// newPatch writes to a buffer, or to one of its own that has room for what two
// bindings need in four containers.
func newPatch(buffer []byte) patch {
	if buffer == nil {
		buffer = make([]byte, 0, 2048)
	}
	return patch{buf: buffer[:0]}
}

// add begins an operation at the path that the steps make; its value is
// written next, then end is called.
func (p *patch) add(steps ...string) {
	if len(p.buf) == 0 {
		p.buf = append(p.buf, '[')
	} else {
		p.buf = append(p.buf, ',')
	}
	p.buf = append(p.buf, `{"op":"add","path":"`...)
	for _, step := range steps {
		p.buf = append(p.buf, step...) // all our paths are plain ASCII
	}
	p.buf = append(p.buf, `","value":`...)
}

func (p *patch) end() { p.buf = append(p.buf, '}') }

// bytes is the finished patch; nil if there is nothing to do.
func (p *patch) bytes() []byte {
	if len(p.buf) == 0 {
		return nil
	}
	return append(p.buf, ']')
}

// object writes an object of strings from pairs of name and value, leaving out
// empty values.
func (p *patch) object(pairs ...string) {
	p.buf = append(p.buf, '{')
	p.members(pairs...)
	p.buf = append(p.buf, '}')
}

// members writes the inside of an object; see object.
func (p *patch) members(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		p.member(pairs[i])
		p.buf = appendString(p.buf, pairs[i+1])
	}
}

// member writes a name, and the comma before it if one is due. Names are ours
// and need no escapes.
func (p *patch) member(name string) {
	if p.buf[len(p.buf)-1] != '{' {
		p.buf = append(p.buf, ',')
	}
	p.buf = append(p.buf, '"')
	p.buf = append(p.buf, name...)
	p.buf = append(p.buf, `":`...)
}

// appendString appends text as a JSON string. Text that is no UTF-8, which
// cannot come out of a Pod that was scanned, has its bad bytes replaced.
func appendString[T string | []byte](dst []byte, text T) []byte {
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil && out == nil {
		return append(dst, `""`...)
	}
	return out
}

// insertion adds elements to one list of the Pod: one operation each, or a
// single one that makes the list if there is none.
type insertion struct {
	patch *patch
	path  string // of the list's holder, with a slash at the end
	list  string
	has   bool // the list is there
	front bool // insert at the front, in the order given; else append
	n     int
}

// element begins an element; its value is written next.
func (i *insertion) element() {
	switch {
	case i.has && i.n > 0:
		i.patch.end()
		fallthrough
	case i.has:
		i.patch.add(i.path, i.list, "/", i.position())
	case i.n == 0:
		i.patch.add(i.path, i.list)
		i.patch.buf = append(i.patch.buf, '[')
	default:
		i.patch.buf = append(i.patch.buf, ',')
	}
	i.n++
}

func (i *insertion) position() string {
	if i.front {
		return strconv.Itoa(i.n)
	}
	return "-"
}

// done ends the last element, if there was any.
func (i *insertion) done() {
	if i.n == 0 {
		return
	}
	if !i.has {
		i.patch.buf = append(i.patch.buf, ']')
	}
	i.patch.end()
}
