package studio

import (
	"strconv"

	"hone/web/parts"
	"hone/web/words"
)

// putOf is under what State has the storing of files, beside what else goes on in their stage.
func putOf(a Act) string {
	if a.value("kind") == "models" {
		return "put model"
	}
	return "put data"
}

// storing is told that files of the user are being stored, and how far that is: bytes of a file, or rows taken out of a table.
func (t *Studio) storing(a Act) {
	t.change(func(s *parts.State) {
		text := s.T(words.Storing)
		if rows, err := strconv.Atoi(a.value("rows")); err == nil {
			text = s.T(words.TableReading, a.value("file"), rows)
		} else if bytes, err := strconv.ParseInt(a.value("bytes"), 10, 64); err == nil {
			total, _ := strconv.ParseInt(a.value("total"), 10, 64) // a number of the page's own
			text = s.T(words.Stored, a.value("file"), parts.Bytes(bytes), parts.Bytes(total))
		}
		s.Busy[putOf(a)] = text
		delete(s.Errors, putOf(a))
	})
}

// notStored is told that they could not be, or that the user has ended it; those before are there.
func (t *Studio) notStored(a Act) {
	t.change(func(s *parts.State) {
		delete(s.Busy, putOf(a))
		if e := a.value("error"); e != "" {
			s.Errors[putOf(a)] = e
		}
	})
	go t.hello(false)
}

// stored is told that files of the user are on the host.
func (t *Studio) stored(a Act) {
	t.askToKeep()
	t.hello(false)
	t.change(func(s *parts.State) {
		delete(s.Errors, putOf(a))
		delete(s.Busy, putOf(a))
	})
	if a.value("kind") == "models" {
		path := trimSlash(a.value("base"))
		t.mu.Lock()
		adapter := isAdapter(t.s, path)
		t.mu.Unlock()
		if adapter {
			t.useAdapter(path)
		} else {
			t.useModel(path)
		}
		return
	}
	t.change(func(s *parts.State) {
		delete(s.Errors, "data")
		setData(s, a.Values["path"])
		s.Notes = a.Values["note"]
	})
	t.plan()
}
