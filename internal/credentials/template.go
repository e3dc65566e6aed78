package credentials

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Bounds of a template: of what it makes, of how often its ranges go round, of what
// its functions make on the way, and of its own text.
const (
	maxOutput       = 1 << 20
	maxSteps        = 100_000
	maxWork         = 16 << 20
	maxTemplateText = 64 << 10
)

// refusal is a sentence about a template that tells no value.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errTooLong = refusal("it makes more than 1 MiB")
	errTooMuch = refusal("it does too much: at most 100,000 rounds of its ranges and 16 MiB on the way")
)

// render executes a template. The error begins with the field's name, says line and
// column, and quotes the template alone.
func render(field, text string, root map[string]any) (string, error) {
	b := &budget{}
	t, err := compile(field, text, b)
	if err != nil {
		return "", err
	}
	var out limited
	if err := t.Execute(&out, withoutNulls(root)); err != nil {
		return "", explain(field, err)
	}
	return out.String(), nil
}

// templateName stands in the messages of the template package.
const templateName = "t"

// compile parses a template and refuses what is not on the list.
func compile(field, text string, b *budget) (*template.Template, error) {
	if len(text) > maxTemplateText {
		return nil, fmt.Errorf("%s is longer than 64 KiB; make several keys of it", field)
	}
	funcs := b.functions()
	t, err := template.New(templateName).Option("missingkey=error").Funcs(funcs).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %s", field, strings.TrimPrefix(err.Error(), "template: "+templateName+":"))
	}
	tick, err := template.New(templateName).Funcs(funcs).Parse("{{" + stepName + "}}")
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", field, err)
	}
	// An empty template has no tree of its own.
	trees := t.Templates()
	if len(trees) > 1 || len(trees) == 1 && trees[0].Name() != templateName {
		return nil, fmt.Errorf("%s defines another template; define, block and template are not available here", field)
	}
	if t.Tree == nil {
		return t, nil
	}
	v := vet{funcs: funcs, tick: tick.Root.Nodes[0]}
	v.list(t.Root)
	if v.wrong != nil {
		line := 1 + strings.Count(text[:min(len(text), int(v.at))], "\n")
		return nil, fmt.Errorf("%s, line %d: %w", field, line, v.wrong)
	}
	return t, nil
}

// vet looks through a template: no function that is not on the list, no other
// template, and a step in each round of a range.
type vet struct {
	funcs template.FuncMap
	tick  parse.Node
	wrong error
	at    parse.Pos
}

func (v *vet) refuse(n parse.Node, format string, args ...any) {
	if v.wrong == nil {
		v.wrong, v.at = refusal(fmt.Sprintf(format, args...)), n.Position()
	}
}

func (v *vet) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		v.node(n)
	}
}

func (v *vet) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		v.pipe(n.Pipe)
	case *parse.IfNode:
		v.branch(&n.BranchNode)
	case *parse.WithNode:
		v.branch(&n.BranchNode)
	case *parse.RangeNode:
		v.branch(&n.BranchNode)
		n.List.Nodes = slices.Insert(n.List.Nodes, 0, v.tick)
	case *parse.TemplateNode:
		v.refuse(n, "define, block and template are not available here")
	case *parse.PipeNode:
		v.pipe(n)
	case *parse.ChainNode:
		v.node(n.Node)
	case *parse.IdentifierNode:
		if _, ok := v.funcs[n.Ident]; !ok && !slices.Contains(builtins, n.Ident) {
			v.refuse(n, "the function %q is not available here", n.Ident)
		}
	}
}

func (v *vet) branch(b *parse.BranchNode) {
	v.pipe(b.Pipe)
	v.list(b.List)
	v.list(b.ElseList)
}

func (v *vet) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			v.node(arg)
		}
	}
}

// place is where the template package says that execution stopped; what follows it
// may quote values, and is dropped.
var place = regexp.MustCompile(`(?s)^template: ` + templateName + `:(\d+):(\d+): executing ".*?" at <(.*?)>: `)

// explain makes a sentence of an error in execution.
func explain(field string, err error) error {
	why := "a key is missing there, or what it holds is of another kind"
	var r refusal
	if errors.As(err, &r) {
		why = string(r)
	}
	where := field
	if m := place.FindStringSubmatch(err.Error()); m != nil {
		where = fmt.Sprintf("%s, line %s, column %s, at %q", field, m[1], m[2], m[3])
	}
	return fmt.Errorf("%s does not fit the credentials: %s", where, why)
}

// withoutNulls lets a template print nothing where the broker said null.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = withoutNulls(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutNulls(e)
		}
		return out
	}
	return v
}

// limited is a writer that holds no more than a Secret does.
type limited struct{ strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return l.Builder.Write(p)
}

func (l *limited) WriteString(s string) (int, error) {
	if l.Len()+len(s) > maxOutput {
		return 0, errTooLong
	}
	return l.Builder.WriteString(s)
}
