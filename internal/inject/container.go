package inject

import (
	"path"
	"strconv"
)

// defaultRoot is SERVICE_BINDING_ROOT where a container sets none
// (servicebinding.io recommends this directory).
const defaultRoot = "/bindings"

// share is what one container gets of one binding.
type share struct {
	*wish
	binding *Binding
	volume  string
	path    string // where the files are, cleaned; "" without files
	mounted bool   // the mount is there already
}

// addToContainers adds to each chosen container what it lacks.
func (pl *planner) addToContainers() error {
	shares := make([]share, 0, len(pl.req.wishes))
	for j := range pl.pod.containers {
		shares = shares[:0]
		for i := range pl.req.wishes {
			if pl.chosen[i][j] {
				shares = append(shares, share{
					wish: &pl.req.wishes[i], binding: &pl.in.Bindings[i], volume: pl.record.Bindings[i].Volume,
				})
			}
		}
		if len(shares) == 0 {
			continue
		}
		if err := pl.addToContainer(&pl.pod.containers[j], shares); err != nil {
			return err
		}
		if len(pl.patch.buf) > maxPatch {
			return tooLarge()
		}
	}
	return nil
}

func (pl *planner) addToContainer(c *container, shares []share) error {
	setRoot, err := pl.place(c, shares)
	if err != nil {
		return err
	}
	if err := pl.checkClashes(c, shares); err != nil {
		return err
	}
	kind := "containers"
	if c.init {
		kind = "initContainers"
	}
	base := "/spec/" + kind + "/" + strconv.Itoa(c.index) + "/"
	pl.addMounts(c, base, shares)
	if err := pl.addEnvFrom(c, base, shares); err != nil {
		return err
	}
	return pl.addEnv(c, base, shares, setRoot)
}

// place settles where the files of each binding are, and whether the container
// needs SERVICE_BINDING_ROOT. It is left out where every binding has a path of
// its own: the root would lead nowhere.
func (pl *planner) place(c *container, shares []share) (setRoot bool, err error) {
	root, known := "", false
	for i := range shares {
		s := &shares[i]
		switch {
		case !s.files:
			continue
		case s.mountPath != "":
			s.path = s.mountPath
			continue
		case !known:
			var set bool
			if root, set, err = pl.pod.root(c); err != nil {
				return false, err
			}
			if !set {
				root, setRoot = defaultRoot, true
			}
			known = true
		}
		s.path = path.Join(root, s.name)
	}
	return setRoot, nil
}

// checkClashes refuses what two would claim in one container, and sees which
// mounts are there.
func (pl *planner) checkClashes(c *container, shares []share) error {
	for i := range shares {
		s := &shares[i]
		for k := range i {
			if err := clash(c, &shares[k], s); err != nil {
				return err
			}
		}
	}
	var taken *Refusal
	err := pl.pod.each(c.mounts, func(e *entry) bool {
		at := path.Clean(string(e.mountPath))
		for i := range shares {
			s := &shares[i]
			switch {
			case s.path == "":
			case below(at, s.path):
				pl.warnings.add("container %s mounts volume %s at %s, below the read-only files of binding %s: it cannot start unless there is a key of that name; mount the volume elsewhere",
					show(c.name), show(e.name), show(at), show(s.name))
			case below(s.path, at) && e.readOnly:
				pl.warnings.add("container %s mounts volume %s read-only at %s, above %s, where the files of binding %s belong: it cannot start unless the volume has that directory; set another mount-path",
					show(c.name), show(e.name), show(at), show(s.path), show(s.name))
			case at != s.path:
			case string(e.name) == s.volume:
				s.mounted = true
			default:
				taken = refuse(ReasonMountPath, "container %s mounts volume %s at %s, where the files of binding %s belong; remove that mount, or set %s to another directory",
					show(c.name), show(e.name), show(s.path), show(s.name), settingMountPath.key(s.name))
			}
		}
		return taken == nil
	})
	if taken != nil {
		return taken
	}
	return err
}

// below says that a directory is inside another; both are cleaned.
func below(inner, outer string) bool {
	return len(inner) > len(outer) && inner[len(outer)] == '/' && inner[:len(outer)] == outer
}

// clash refuses two bindings with the same prefix or variable, or with paths
// that cannot both be mounted: what is below read-only files needs a directory
// that nobody can make, and the container would never start.
func clash(c *container, a, b *share) error {
	if a.path != "" && a.path == b.path {
		return refuse(ReasonMountPath, "bindings %s and %s would both be mounted at %s in container %s; set %s to another directory",
			show(a.name), show(b.name), show(a.path), show(c.name), settingMountPath.key(b.name))
	}
	if a.path != "" && b.path != "" && (below(a.path, b.path) || below(b.path, a.path)) {
		return refuse(ReasonMountPath, "bindings %s and %s would be mounted at %s and %s in container %s, but nothing can be mounted below read-only files; set %s to another directory",
			show(a.name), show(b.name), show(a.path), show(b.path), show(c.name), settingMountPath.key(b.name))
	}
	if a.auto && b.auto && a.prefix == b.prefix {
		return refuse(ReasonPrefix, "the variables of bindings %s and %s would both begin with %s in container %s; set %s to another prefix",
			show(a.name), show(b.name), show(a.prefix), show(c.name), settingEnvPrefix.key(b.name))
	}
	for _, v := range a.vars {
		for _, other := range b.vars {
			if v.name == other.name {
				return refuse(ReasonVariable, "bindings %s and %s would both set %s in container %s; give it another name in %s",
					show(a.name), show(b.name), show(v.name), show(c.name), settingEnv.key(b.name))
			}
		}
	}
	return nil
}

func (pl *planner) addMounts(c *container, base string, shares []share) {
	ins := insertion{patch: &pl.patch, path: base, list: "volumeMounts", has: c.mounts != nil}
	for i := range shares {
		s := &shares[i]
		if s.path == "" || s.mounted {
			continue
		}
		ins.element()
		pl.patch.buf = append(pl.patch.buf, '{')
		pl.patch.members("name", s.volume, "mountPath", s.path)
		pl.patch.member("readOnly")
		pl.patch.buf = append(pl.patch.buf, "true}"...)
	}
	ins.done()
}

// addEnvFrom puts the automatic variables first, so that everything the user
// wrote wins over them.
func (pl *planner) addEnvFrom(c *container, base string, shares []share) error {
	ins := insertion{patch: &pl.patch, path: base, list: "envFrom", has: c.envFrom != nil, front: true}
	for i := range shares {
		s := &shares[i]
		if !s.auto {
			continue
		}
		there := false
		err := pl.pod.each(c.envFrom, func(e *entry) bool {
			there = string(e.secret) == s.binding.EnvSecret && string(e.prefix) == s.prefix
			return !there
		})
		if err != nil {
			return err
		}
		if there {
			continue
		}
		ins.element()
		pl.patch.buf = append(pl.patch.buf, '{')
		pl.patch.members("prefix", s.prefix)
		pl.patch.member("secretRef")
		pl.patch.object("name", s.binding.EnvSecret)
		pl.patch.buf = append(pl.patch.buf, '}')
	}
	ins.done()
	return nil
}

// addEnv puts SERVICE_BINDING_ROOT and the explicit variables first, so that
// the user's own can refer to them as $(NAME).
func (pl *planner) addEnv(c *container, base string, shares []share, setRoot bool) error {
	known, err := pl.find(c, shares)
	if err != nil {
		return err
	}
	ins := insertion{patch: &pl.patch, path: base, list: "env", has: c.env != nil, front: true}
	if setRoot {
		ins.element()
		pl.patch.object("name", bindingRoot, "value", defaultRoot)
	}
	for i := range shares {
		s := &shares[i]
		for _, v := range s.vars {
			if f := known[v.name]; f.there {
				if !f.same {
					pl.warnings.add("container %s sets variable %s itself, which wins over the one of binding %s; remove one of the two", show(c.name), show(v.name), show(s.name))
				}
				continue
			}
			ins.element()
			pl.addVariable(s, v)
		}
	}
	ins.done()
	return nil
}

func (pl *planner) addVariable(s *share, v variable) {
	if v.file {
		pl.patch.object("name", v.name, "value", s.path+"/"+v.key)
		return
	}
	pl.patch.buf = append(pl.patch.buf, '{')
	pl.patch.members("name", v.name)
	pl.patch.member("valueFrom")
	pl.patch.buf = append(pl.patch.buf, `{"secretKeyRef":`...)
	pl.patch.object("name", s.binding.Secret, "key", v.key)
	pl.patch.buf = append(pl.patch.buf, "}}"...)
}

// found is what a container says itself about one explicit variable.
type found struct {
	*share
	variable
	there, same bool
}

// find looks in one pass which explicit variables are there already, from an
// earlier pass or because the container sets them itself: the user's own wins,
// with a warning.
func (pl *planner) find(c *container, shares []share) (map[string]*found, error) {
	if pl.req.vars == 0 {
		return nil, nil
	}
	wanted := map[string]*found{}
	for i := range shares {
		for _, v := range shares[i].vars {
			wanted[v.name] = &found{share: &shares[i], variable: v}
		}
	}
	err := pl.pod.each(c.env, func(e *entry) bool {
		f := wanted[string(e.name)]
		if f == nil {
			return true
		}
		f.there = true // the last one of a name wins
		if f.file {
			f.same = !e.valueFrom && string(e.value) == f.path+"/"+f.key
		} else {
			f.same = string(e.secret) == f.binding.Secret && string(e.key) == f.key
		}
		return true
	})
	return wanted, err
}
