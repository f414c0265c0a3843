package parts

import (
	"net/url"
	"slices"

	"hone/core/wire"
	"hone/web/words"
)

// Whereabouts is a server that is looked at.
type Whereabouts struct {
	URL     string // in the field
	Survey  *wire.Surveyed
	Of      string // what it was made of: the server, and the run or recipe that would go there
	Changed bool   // it does not hold any more, as that has changed
}

// Host is a server's name for people: without the scheme.
func Host(server string) string {
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		return u.Host
	}
	return server
}

func (s *State) placeTitle() string {
	switch {
	case s.Run.On != "":
		return s.T(words.PlaceIs, Host(s.Run.On))
	case s.canMove():
		return s.T(words.PlaceIs, s.T(words.PlaceHere))
	}
	return s.T(words.PlaceNext, s.T(words.PlaceHere))
}

// placeMatters reports whether there is something that the user should see: the run is away, cannot be here, or is about to go.
func (s *State) placeMatters() bool {
	return s.Run.On != "" || s.Place.Survey != nil || s.Place.Changed || s.Errors["place"] != "" || s.Busy["place"] != "" || s.Forecast != nil && s.Forecast.Refusal != "" && !s.Run.Alive()
}

// canMove reports whether the run that the page shows can go on elsewhere; otherwise the next one can begin there.
func (s *State) canMove() bool {
	return s.Run.ID != "" && s.Run.On == "" && s.Run.State != Done && s.Run.State != Begins && s.Run.State != Idle
}

func (s *State) agreed(server string) bool {
	return slices.ContainsFunc(s.Host.Servers, func(k wire.Known) bool { return k.URL == server && k.Agreed })
}

func busy(v wire.Surveyed) (n int) {
	for _, w := range v.Workers {
		if w.Busy {
			n++
		}
	}
	return n
}

// freeMemory is the most that a run may take there.
func freeMemory(v wire.Surveyed) (n int64) {
	for _, w := range v.Workers {
		n = max(n, w.Memory)
	}
	return n
}

func devices(v wire.Surveyed) (names []string) {
	for _, w := range v.Workers {
		if !slices.Contains(names, w.Device) {
			names = append(names, w.Device)
		}
	}
	return names
}

func parcel(p wire.Parcel) words.Text {
	switch p.What {
	case "model":
		return words.ParcelModel
	case "adapter":
		return words.ParcelAdapter
	case "state":
		return words.ParcelState
	case "hub":
		return words.ParcelHub
	}
	return words.ParcelData
}

// recent are the first of a list of runs.
func recent(runs []wire.Run) []wire.Run { return runs[:min(len(runs), 20)] }
