package inject

import (
	"path"
	"slices"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// wisher works out what is asked for one binding.
type wisher struct {
	given   []given
	name    string
	several bool // other bindings are named too
	req     *Request
}

// get is the value for this binding: its own, else the plain one. key is the
// annotation that it comes from.
func (w *wisher) get(s setting) (value, key string, ok bool) {
	for _, g := range w.given {
		if g.setting != s {
			continue
		}
		if g.owner == w.name {
			return g.value, s.key(w.name), true
		}
		if g.owner == "" {
			value, key, ok = g.value, s.key(""), true
		}
	}
	return value, key, ok
}

// getOwn is get for what cannot hold for several bindings at once.
func (w *wisher) getOwn(s setting) (value, key string, ok bool, err error) {
	value, key, ok = w.get(s)
	if ok && w.several && key == s.key("") {
		err = refuse(ReasonSetting, "annotation %s cannot hold for several bindings at once; give it per binding as %s", key, s.key(w.name))
	}
	return value, key, ok, err
}

func (w *wisher) wish() (wish, error) {
	out := wish{name: w.name}
	for _, step := range []func(*wisher, *wish) error{
		(*wisher).setInject, (*wisher).setContainers, (*wisher).setMountPath,
		(*wisher).setEnv, (*wisher).setPrefix, (*wisher).setWaiting,
	} {
		if err := step(w, &out); err != nil {
			return wish{}, err
		}
	}
	return out, nil
}

func (w *wisher) setInject(out *wish) error {
	value, key, ok := w.get(settingInject)
	if !ok {
		out.files, out.auto = true, true
		return nil
	}
	for part := range strings.SplitSeq(value, ",") {
		switch strings.TrimSpace(part) {
		case "files":
			out.files = true
		case "env":
			out.auto = true
		default:
			return refuse(ReasonSetting, "annotation %s is %s; it may be files, env, or files,env", key, show(value))
		}
	}
	return nil
}

func (w *wisher) setContainers(out *wish) error {
	value, key, ok := w.get(settingContainers)
	if !ok {
		return nil
	}
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return refuse(ReasonSetting, "annotation %s has an empty name in %s; name containers separated by commas, or remove the annotation for all", key, show(value))
		}
		if len(out.containers) == maxNamed {
			return refuse(ReasonTooLarge, "annotation %s names more than %d containers; remove it for all, or name fewer", key, maxNamed)
		}
		out.containers = append(out.containers, name)
	}
	out.containersKey = key
	return nil
}

func (w *wisher) setMountPath(out *wish) error {
	value, key, ok, err := w.getOwn(settingMountPath)
	if err != nil || !ok {
		return err
	}
	if problem := badPath(value); problem != "" {
		return refuse(ReasonMountPath, "annotation %s is %s, which %s; give an absolute directory", key, show(value), problem)
	}
	out.mountPath = path.Clean(value)
	if !out.files {
		w.req.warnings.add("annotation %s has no effect: binding %s is injected without files", key, show(w.name))
	}
	return nil
}

// setEnv reads explicit variables: with them there are no automatic ones.
func (w *wisher) setEnv(out *wish) error {
	value, key, ok, err := w.getOwn(settingEnv)
	if err != nil || !ok {
		return err
	}
	_, injectKey, _ := w.get(settingInject)
	if !out.auto {
		return refuse(ReasonSetting, "annotation %s asks for variables, but %s leaves env out; add env there, or remove one of the two", key, injectKey)
	}
	out.auto = false
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := parseVariable(key, part)
		if err != nil {
			return err
		}
		if v.file && !out.files {
			return refuse(ReasonSetting, "annotation %s asks for the path of a file by %s, but %s leaves files out; add files there", key, show(part), injectKey)
		}
		if slices.ContainsFunc(out.vars, func(other variable) bool { return other.name == v.name }) {
			return refuse(ReasonVariable, "annotation %s sets %s twice; remove one", key, show(v.name))
		}
		if w.req.vars == maxVariables {
			return refuse(ReasonTooLarge, "the Pod asks for more than %d variables by name; leave %s out for automatic ones, or read files", maxVariables, key)
		}
		w.req.vars++
		if !isShellName(v.name) {
			w.req.warnings.add("variable %s of annotation %s can be read by no shell; use letters, digits and _ only", show(v.name), key)
		}
		out.vars = append(out.vars, v)
	}
	if len(out.vars) == 0 {
		return refuse(ReasonSetting, "annotation %s is empty; list NAME=key or NAME=file:key, or set %s to files for no variables", key, settingInject.key(""))
	}
	return nil
}

func parseVariable(key, part string) (variable, error) {
	name, from, ok := strings.Cut(part, "=")
	name, from = strings.TrimSpace(name), strings.TrimSpace(from)
	if !ok {
		return variable{}, refuse(ReasonVariable, "annotation %s has %s; write NAME=key or NAME=file:key", key, show(part))
	}
	v := variable{name: name}
	v.key, v.file = strings.CutPrefix(from, "file:")
	switch {
	case !isVariableName(name):
		return variable{}, refuse(ReasonVariable, "annotation %s has the bad variable name %s; use letters, digits and _, and no digit first", key, show(name))
	case name == bindingRoot:
		return variable{}, refuse(ReasonVariable, "annotation %s sets %s, which injection sets itself; choose another name", key, bindingRoot)
	case !isSecretKey(v.key):
		return variable{}, refuse(ReasonVariable, "annotation %s has the bad key %s for %s; a Secret's key is letters, digits, -, _ and . only", key, show(v.key), show(name))
	}
	return v, nil
}

func (w *wisher) setPrefix(out *wish) error {
	out.prefix = v1beta1.EnvPrefix(w.name)
	value, key, ok := w.get(settingEnvPrefix)
	if !ok {
		return nil
	}
	if value == "" && w.several && key == settingEnvPrefix.key("") {
		return refuse(ReasonSetting, "annotation %s cannot be empty for several bindings at once; give it per binding as %s", key, settingEnvPrefix.key(w.name))
	}
	if value != "" && !isVariableName(value) {
		return refuse(ReasonPrefix, "annotation %s is %s, with which no variable's name can begin; use letters, digits and _, and no digit first", key, show(value))
	}
	out.prefix = value
	switch {
	case !out.auto && len(out.vars) > 0:
		w.req.warnings.add("annotation %s has no effect: the variables of binding %s are listed one by one", key, show(w.name))
	case !out.auto:
		w.req.warnings.add("annotation %s has no effect: binding %s is injected without env", key, show(w.name))
	case value != "" && !isShellName(value):
		w.req.warnings.add("no shell can read variables that begin with %s; use letters, digits and _ only in annotation %s", show(value), key)
	}
	return nil
}

// setWaiting reads what a Pod does about credentials that are not there yet,
// or not there any more.
func (w *wisher) setWaiting(out *wish) error {
	switch value, key, ok := w.get(settingWhenNotReady); {
	case !ok, value == "wait":
	case value == "reject":
		out.reject, out.rejectKey = true, key
	default:
		return refuse(ReasonSetting, "annotation %s is %s; it may be wait or reject", key, show(value))
	}
	switch value, key, ok := w.get(settingRestart); {
	case !ok, value == "false", value == "true": // the controllers read it when credentials change
	default:
		return refuse(ReasonSetting, "annotation %s is %s; it may be true or false", key, show(value))
	}
	return nil
}

// isShellName tests for a name that every shell takes.
func isShellName(name string) bool {
	return isVariableName(name) && !strings.ContainsAny(name, "-.")
}

// isVariableName tests for a name that every Kubernetes since 1.32 takes.
func isVariableName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.'
		if !letter && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return name != "" && name != "." && !strings.HasPrefix(name, "..")
}

// isSecretKey tests for a key that a Secret can have.
func isSecretKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return key != "" && len(key) <= 253 && key != "." && !strings.HasPrefix(key, "..")
}
