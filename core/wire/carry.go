package wire

import (
	"context"
	"encoding/json"
	"errors"
)

// Blob is a file by its content. It is carried over HTTP, in pieces, and never again to where it is already.
type Blob struct {
	Path   string `json:"path"` // relative to its folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Place is what a name in a recipe stands for, on a host that the recipe does not come from.
type Place struct {
	Name   string `json:"name"`             // as the recipe has it
	Folder bool   `json:"folder,omitempty"` // it names a folder of files, not a single file
	Files  []Blob `json:"files"`
}

// Carried is a run as of its last State: all that another host needs to go on with it.
type Carried struct {
	Run    string          `json:"run"`
	Step   int             `json:"step"`             // of the State
	Files  []Blob          `json:"files"`            // of the run directory
	Recipe json.RawMessage `json:"recipe,omitempty"` // what it runs with here
	Places []Place         `json:"places,omitempty"`
	// Instead says that its user has given up what the server has of it, which may have come further.
	Instead bool `json:"instead,omitempty"`
}

// Login is the first frame of a websocket, a request of that name: the token never stands in an address. Reply: Welcome.
type Login struct {
	Token string `json:"token"`
}

// Welcome says who one is on a server.
type Welcome struct {
	User    string `json:"user"`
	Scope   string `json:"scope"`
	Version string `json:"version"` // of the program

	Alive int64 `json:"alive,omitempty"` // milliseconds: so often something comes, if only Alive; 0: that is not promised
}

// Alive comes as a part of no request, so that who hears nothing for long knows that the way has gone silent. A page's program does not
// get to see the websocket's own pings.
type Alive struct{}

// Farewell stands in a reply without a request, before a server ends a link: why, as the code that the websocket is closed with,
// beside the reply's Error. A page's program does not get to see the websocket's own words.
type Farewell struct {
	Code int `json:"code"`
}

// Carry asks for a run as of its last State; its files come over HTTP. Parts: Blobs, where the files are too many for one frame.
// Reply: Carried, with the rest of them.
type Carry struct {
	Run string `json:"run"`
}

// Blobs are files of a Carried that come before it.
type Blobs struct {
	Files []Blob `json:"files"`
}

// AskCarried asks for a run with all its files, see Carry.
func AskCarried(ctx context.Context, l Link, run string) (Carried, error) {
	var files []Blob
	var wrong error
	c, err := Ask[Carried](ctx, l, Carry{Run: run}, func(_ string, data json.RawMessage) {
		var b Blobs
		if err := json.Unmarshal(data, &b); err != nil {
			wrong = err
		}
		files = append(files, b.Files...)
	})
	all, seen := append(files, c.Files...), map[string]bool{}
	c.Files = nil
	for _, f := range all { // a link that was interrupted asks again, and is told again
		if !seen[f.Path] {
			seen[f.Path] = true
			c.Files = append(c.Files, f)
		}
	}
	return c, errors.Join(err, wrong)
}

// Cancel, a request with the ID of another one and no reply of its own, tells a host to end that one's work.
type Cancel struct{}

func (Login) Name() string  { return "login" }
func (Alive) Name() string  { return "alive" }
func (Carry) Name() string  { return "carry" }
func (Cancel) Name() string { return "cancel" }
