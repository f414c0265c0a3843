package wire

import "encoding/json"

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
}

// Carry asks for a run as of its last State; its files come over HTTP. Reply: Carried.
type Carry struct {
	Run string `json:"run"`
}

// Cancel, a request with the ID of another one and no reply of its own, tells a host to end that one's work.
type Cancel struct{}

func (Login) Name() string  { return "login" }
func (Carry) Name() string  { return "carry" }
func (Cancel) Name() string { return "cancel" }
