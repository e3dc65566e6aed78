package credentials

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// builtins are the functions of text/template that are left as they are. call, html
// and js are not available; print and its kin and urlquery are our own, with bounds.
var builtins = []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "break", "continue"}

// stepName is the function that is called in each round of a range.
const stepName = "countRound"

// budget is what one execution of a template may still do.
type budget struct{ steps, work int }

// step counts a round of a range. It prints nothing.
func (b *budget) step() (string, error) {
	if b.steps++; b.steps > maxSteps {
		return "", errTooMuch
	}
	return "", nil
}

// spend counts what a function makes, before it is made.
func (b *budget) spend(n int) error {
	if n < 0 || n > maxOutput {
		return errTooLong
	}
	if b.work += n + 16; b.work > maxWork {
		return errTooMuch
	}
	return nil
}

// bounded is f with its result, of at most grow times the length of its text, counted.
func (b *budget) bounded(grow int, f func(string) string) func(any) (string, error) {
	return func(v any) (string, error) {
		s, err := b.textOf(v)
		if err != nil {
			return "", err
		}
		if err := b.spend(min(len(s)*grow, maxOutput)); err != nil {
			return "", err
		}
		if s = f(s); len(s) > maxOutput {
			return "", errTooLong
		}
		return s, nil
	}
}

// textOf is what a template prints of a value: text as it is, lists and objects as
// JSON.
func (b *budget) textOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, b.spend(len(v))
	case nil:
		return "", nil
	}
	t, err := text(v)
	if err != nil {
		return "", refusal("what it is given cannot be written as text")
	}
	return string(t), b.spend(len(t))
}

// functions are all that a template may call, beside builtins. None reads anything but
// its arguments.
func (b *budget) functions() template.FuncMap {
	return template.FuncMap{
		stepName:     b.step,
		"b64enc":     b.bounded(2, func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"b64dec":     b.decode,
		"upper":      b.bounded(2, strings.ToUpper),
		"lower":      b.bounded(2, strings.ToLower),
		"trim":       b.bounded(1, strings.TrimSpace),
		"quote":      b.bounded(10, strconv.Quote),
		"squote":     b.bounded(4, func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }),
		"urlquery":   b.bounded(3, url.QueryEscape),
		"urlpath":    b.bounded(3, url.PathEscape),
		"toJson":     b.textJSON,
		"fromJson":   b.parseJSON,
		"toString":   b.textOf,
		"trimPrefix": func(prefix string, v any) (string, error) { return b.cut(v, prefix, strings.TrimPrefix) },
		"trimSuffix": func(suffix string, v any) (string, error) { return b.cut(v, suffix, strings.TrimSuffix) },
		"hasPrefix":  func(prefix string, v any) (bool, error) { return b.test(v, prefix, strings.HasPrefix) },
		"hasSuffix":  func(suffix string, v any) (bool, error) { return b.test(v, suffix, strings.HasSuffix) },
		"contains":   func(part string, v any) (bool, error) { return b.test(v, part, strings.Contains) },
		"replace":    b.replace,
		"split":      b.split,
		"join":       b.join,
		"default":    otherwise,
		"required":   required,
		"hasKey":     func(m map[string]any, key string) bool { _, ok := m[key]; return ok },
		"keys":       func(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) },
		"print":      b.print,
		"println":    func(args ...any) (string, error) { return b.print(append(args, "\n")...) },
		"printf":     b.printf,
	}
}

func (b *budget) cut(v any, part string, f func(string, string) string) (string, error) {
	s, err := b.textOf(v)
	return f(s, part), err
}

func (b *budget) test(v any, part string, f func(string, string) bool) (bool, error) {
	s, err := b.textOf(v)
	return f(s, part), err
}

func (b *budget) decode(v any) (string, error) {
	s, err := b.textOf(v)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", refusal("b64dec is given what is no base64")
	}
	return string(raw), nil
}

func (b *budget) textJSON(v any) (string, error) {
	raw, err := compact(v)
	if err != nil {
		return "", refusal("toJson is given what cannot be JSON")
	}
	return string(raw), b.spend(len(raw))
}

func (b *budget) parseJSON(v any) (any, error) {
	s, err := b.textOf(v)
	if err != nil {
		return nil, err
	}
	// What is parsed takes more room than its text.
	if err := b.spend(min(16*len(s), maxOutput)); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, refusal("fromJson is given what is no JSON")
	}
	return withoutNulls(out), nil
}

func (b *budget) replace(old, with string, v any) (string, error) {
	s, err := b.textOf(v)
	if err != nil {
		return "", err
	}
	// By hand, as the result may be a million times the input.
	if n := strings.Count(s, old); n > 0 && len(with) > 0 && n > maxOutput/len(with) {
		return "", errTooLong
	}
	if err := b.spend(len(s) + strings.Count(s, old)*max(0, len(with)-len(old))); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, old, with), nil
}

func (b *budget) split(sep string, v any) ([]string, error) {
	s, err := b.textOf(v)
	if err != nil {
		return nil, err
	}
	if err := b.spend(min(16*(strings.Count(s, sep)+1), maxOutput)); err != nil {
		return nil, err
	}
	return strings.Split(s, sep), nil
}

func (b *budget) join(sep string, v any) (string, error) {
	var out limited
	add := func(n int, item any) error {
		s, err := b.textOf(item)
		if err != nil {
			return err
		}
		if n > 0 {
			s = sep + s
		}
		if err := b.spend(len(s)); err != nil {
			return err
		}
		_, err = out.WriteString(s)
		return err
	}
	switch list := v.(type) {
	case []any:
		for n, item := range list {
			if err := add(n, item); err != nil {
				return "", err
			}
		}
	case []string:
		for n, item := range list {
			if err := add(n, item); err != nil {
				return "", err
			}
		}
	default:
		return "", refusal("join is given what is no list")
	}
	return out.String(), nil
}

// print joins its arguments with nothing between them.
func (b *budget) print(args ...any) (string, error) {
	var out limited
	for _, a := range args {
		s, err := b.textOf(a)
		if err != nil {
			return "", err
		}
		if _, err := out.WriteString(s); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// printf knows %s, %v, %d, %q, %t and %%, without widths: a width makes megabytes of
// nothing.
func (b *budget) printf(format string, args ...any) (string, error) {
	var out limited
	for n := 0; n < len(format); n++ {
		piece := format[n : n+1]
		if piece == "%" {
			var err error
			if piece, args, err = b.verb(format[n+1:], args); err != nil {
				return "", err
			}
			n++
		}
		if _, err := out.WriteString(piece); err != nil {
			return "", err
		}
	}
	if len(args) > 0 {
		return "", refusal("printf is given more values than its format has places")
	}
	return out.String(), nil
}

// verb is the text for the verb that rest begins with, and the arguments after it.
func (b *budget) verb(rest string, args []any) (string, []any, error) {
	switch {
	case rest == "":
		return "", nil, refusal("printf's format ends in %")
	case rest[0] == '%':
		return "%", args, nil
	case !strings.ContainsRune("svdqt", rune(rest[0])):
		return "", nil, refusal(fmt.Sprintf("printf knows %%s, %%v, %%d, %%q, %%t and %%%% here, and not %%%c", rest[0]))
	case len(args) == 0:
		return "", nil, refusal("printf is given fewer values than its format has places")
	}
	s, err := b.textOf(args[0])
	if err != nil {
		return "", nil, err
	}
	if rest[0] == 'q' {
		if err := b.spend(min(10*len(s), maxOutput)); err != nil {
			return "", nil, err
		}
		s = strconv.Quote(s)
	}
	return s, args[1:], nil
}

// otherwise is v, or the other value where v is empty.
func otherwise(other, v any) any {
	if truth, ok := template.IsTrue(v); ok && truth {
		return v
	}
	return other
}

// required is v; where it is empty the template ends. The sentence is not repeated: it
// may have been made from values.
func required(_ string, v any) (any, error) {
	if v == nil || v == "" {
		return nil, refusal("it needs a value that is empty")
	}
	return v, nil
}
