package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// reference is one place to look: an id on a hub.
type reference struct {
	hub, id, revision, part string
	prefer                  string // part of a data set to take if the repository has it
}

var (
	idShape       = shape(`[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?`)
	revisionShape = shape(`[A-Za-z0-9][A-Za-z0-9._/-]{0,199}`)
	commitShape   = shape(`[A-Za-z0-9][A-Za-z0-9._-]{0,99}`)
	sha256Shape   = shape(`[0-9a-f]{64}`)
	sha1Shape     = shape(`[0-9a-f]{40}`)
	rowFiles      = map[string]bool{".json": true, ".jsonl": true, ".csv": true, ".tsv": true, ".parquet": true, ".txt": true, ".gz": true, ".zst": true, ".zip": true, ".arrow": true, ".xlsx": true}
)

// shape says whether a text is wholly of a form. The expression is compiled when it is first asked: a page starts sooner so.
func shape(expression string) func(string) bool {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^(?:" + expression + ")$") })
	return func(s string) bool { return compiled().MatchString(s) }
}

// parse takes [HF::|MS::]org/name[@revision][:part] apart. It says no to what can only be a path.
func parse(k kind, s string) (reference, bool) {
	var r reference
	if i := strings.Index(s, "::"); i >= 0 {
		switch strings.ToLower(s[:i]) {
		case HuggingFace:
			r.hub = HuggingFace
		case ModelScope:
			r.hub = ModelScope
		default:
			return r, false
		}
		s = s[i+2:]
	}
	if k == datasets {
		s, r.part, _ = strings.Cut(s, ":")
		if r.part != "" && !fs.ValidPath(r.part) {
			return r, false
		}
	}
	s, revision, pinned := strings.Cut(s, "@")
	if pinned && !validRevision(revision) || !idShape(s) || strings.Contains(s, "..") {
		return r, false
	}
	if k == datasets && rowFiles[strings.ToLower(path.Ext(s))] && r.hub == "" {
		return r, false // rows.json and data/rows.jsonl are files that are missing
	}
	r.id, r.revision = s, revision
	return r, true
}

func validRevision(s string) bool {
	return revisionShape(s) && !strings.Contains(s, "..") && !strings.Contains(s, "//") && !strings.HasSuffix(s, "/")
}

// resolve lists where a name may be found, in the order in which to look: the id as it was written, then what the table knows
// under that name.
func (e *environment) resolve(k kind, name string) ([]reference, error) {
	r, ok := parse(k, name)
	if !ok {
		what := "there is no such directory"
		if k == datasets {
			what = "there is no such file or folder"
		}
		if !filepath.IsAbs(name) && !strings.HasPrefix(name, ".") && !rowFiles[strings.ToLower(path.Ext(name))] {
			what += ", and it is no id of a hub either: that is org/name, as in Qwen/Qwen2.5-0.5B"
		}
		return nil, &failure{fs.ErrNotExist, fmt.Sprintf("%v %s: %s", k, name, what)}
	}
	if r.revision == "" && e.Revision != "" {
		if !validRevision(e.Revision) {
			return nil, fmt.Errorf("revision %q: a branch, a tag or a commit is wanted", e.Revision)
		}
		r.revision = e.Revision
	}
	hubs := e.hubs
	if r.hub != "" {
		hubs = []string{r.hub}
	}
	var out []reference
	add := func(n reference) {
		if n.id == "" {
			return
		}
		for _, o := range out {
			if o.hub == n.hub && o.id == n.id {
				return
			}
		}
		out = append(out, n)
	}
	known, found := lookup(k, r.id)
	if strings.Contains(r.id, "/") {
		for _, h := range hubs {
			add(reference{hub: h, id: r.id, revision: r.revision, part: r.part, prefer: known.part})
		}
	}
	if found && k != adapters {
		for _, h := range hubs {
			add(reference{hub: h, id: known.on(h), revision: r.revision, part: r.part, prefer: known.part})
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if found {
		other := ModelScope
		if hubs[0] == ModelScope {
			other = HuggingFace
		}
		return nil, fmt.Errorf("%v %s: %s does not have it; %s does, as %s", k, name, hubNames[hubs[0]], either("--hub "+other, hubNames[other]), known.on(other))
	}
	if k != datasets && len(hubs) == 1 && hubs[0] == HuggingFace { // a few old ids there have no organisation
		return []reference{r.at(HuggingFace)}, nil
	}
	hint := "an id has the form org/name."
	if near := nearest(k, r.id); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, strings.ToUpper(hint[:1])+hint[1:])
	}
	return nil, &failure{errors.Join(fs.ErrNotExist, errNotFound), fmt.Sprintf("%v %s: there is no such path here, and no %v is known by that name; %s What helps: %s",
		k, name, k, hint, e.byHand(k, []reference{r}))}
}

func (r reference) at(hub string) reference {
	r.hub = hub
	return r
}

// IsName says whether a text has the form of a name that a hub may know. A path may have it, too.
func IsName(s string) bool {
	_, ok := parse(datasets, s)
	return ok
}

// Label is the last part of a name or path without its revision: runs of the model are filed under it.
func Label(name string) string {
	if r, ok := parse(models, name); ok {
		return path.Base(r.id)
	}
	return name
}
