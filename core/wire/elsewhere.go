package wire

import "encoding/json"

// Server is one where runs can go on. The token may be left out where a host has been given it before.
type Server struct {
	URL   string `json:"url"`
	Token string `json:"token,omitempty"`
}

// Survey asks what it would mean that a run goes on at a server: whether it is reached, what it has to offer, and exactly what
// would leave this host. Nothing leaves but the question, in which files are named by hash. Parts: Moving. Reply: Surveyed.
type Survey struct {
	On     Server          `json:"on"`
	Run    string          `json:"run,omitempty"`    // of this host; "": one that has not begun
	Recipe json.RawMessage `json:"recipe,omitempty"` // of one that has not begun
}

// Move lets a run go on elsewhere with its next step: at a server, or here again. Parts: Moving. Reply: RunName.
type Move struct {
	Run  string `json:"run"`
	On   Server `json:"on"`             // without a URL: here
	Away bool   `json:"away,omitempty"` // of a move here: the server is not asked, and the run goes on from the last State that is here
}

// Attach shows a run of a server that this host has not begun. Its events are told from the first. Reply: RunName.
type Attach struct {
	On  Server `json:"on"`
	Run string `json:"run"`
}

// Agree keeps a server and its token on this host. With Agreed, the user agrees beforehand that a run whose device is lost, or has
// too little memory, goes on there by itself, with all that Survey names. Reply: nothing.
type Agree struct {
	On     Server `json:"on"`
	Agreed bool   `json:"agreed"`
}

func (Survey) Name() string { return "survey" }
func (Move) Name() string   { return "move" }
func (Attach) Name() string { return "attach" }
func (Agree) Name() string  { return "agree" }

// Surveyed is what a server has to offer and what a run would bring there.
type Surveyed struct {
	URL     string   `json:"url"`
	User    string   `json:"user"`
	Version string   `json:"version"` // of its program
	Workers []Worker `json:"workers"`
	Queue   int      `json:"queue"` // runs that wait for a device, of all users
	Storage Storage  `json:"storage"`
	Parcels []Parcel `json:"parcels"`           // what would leave this host
	Total   int64    `json:"total"`             // bytes of them that the server does not have
	Refusal string   `json:"refusal,omitempty"` // why the run cannot go there
	Runs    []Run    `json:"runs"`              // that are there and not here, the newest first
	More    int      `json:"more,omitempty"`    // how many others of this user are there, see Host
}

// Parcel is something that leaves the host.
type Parcel struct {
	What  string `json:"what"` // "model", "adapter", "data", "state" (weights that learn, optimiser, log and settings of a run), or "hub": only the name leaves, and the server fetches it
	Name  string `json:"name"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	There int64  `json:"there"` // bytes of it that the server has
}

// Worker is a device of a server.
type Worker struct {
	Device string `json:"device"`
	Memory int64  `json:"memory"` // bytes that a run may take there; 0 where that is unknown
	Busy   bool   `json:"busy"`
}

// Moving says how far a move has come: "connecting", "hashing", "sending", "stopping", "fetching".
type Moving struct {
	Doing string `json:"doing"`
	File  string `json:"file,omitempty"`
	Done  int64  `json:"done"` // bytes
	Total int64  `json:"total"`
}

// Known is a server that a host knows.
type Known struct {
	URL    string `json:"url"`
	Agreed bool   `json:"agreed"` // see Agree
}

// Moved says that a run has another home from now on.
type Moved struct {
	Step int    `json:"step"` // of the State with which it moved
	On   string `json:"on"`   // the server's URL; "": this host
}

// Linked says how the way to the server of a run is. It has no number and is not kept.
type Linked struct {
	On        string `json:"on"`
	Connected bool   `json:"connected"`
	Reason    string `json:"reason"`           // why not
	Denied    bool   `json:"denied,omitempty"` // it is not tried again: the server wants another token
	Unsure    bool   `json:"unsure,omitempty"` // the server is reached, fails, and does not say whether it has the run
}

func (Moved) event()  {}
func (Linked) event() {}
