package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hone/core/wire"
)

// eventsFile has a line for every event of a run: its frame. Of events that nobody needs again there is only the number.
const eventsFile = "events.jsonl"

// journal numbers the events of a run and keeps them. It goes on behind what a process that died has written.
type journal struct {
	run string
	f   *os.File
	seq uint64 // of the last event

	there uint64 // highest number that a server has given to one of its events, see openJournal
}

// entry is a line of the journal.
type entry struct {
	wire.Frame
	There uint64 `json:"there,omitempty"` // the number of the event at the server where the run was, 0 where it is of this host
}

// openJournal opens the journal of the run in a directory. A line that was torn is taken away. The numbers that a server gave are
// of interest behind the event with the number after.
func openJournal(dir, run string, after uint64) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, eventsFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	j := &journal{run: run, f: f}
	whole := int64(0)
	err = eachEvent(f, func(raw []byte, e entry) bool {
		if j.seq = e.Seq; e.Seq > after {
			j.there = max(j.there, e.There)
		}
		whole += int64(len(raw))
		return true
	})
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the events of run %s: %w", run, err)
	}
	return j, nil
}

// add numbers an event and writes it down; there is the number that a server gave it, or 0.
func (j *journal) add(e wire.Event, there uint64) (wire.Frame, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return wire.Frame{}, fmt.Errorf("an event of run %s: %w", j.run, err)
	}
	f := wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: j.run, Seq: j.seq + 1, Name: wire.Name(e), Data: data}
	kept := entry{f, there}
	kept.Run = ""
	if passes(e) {
		kept.Data = nil
	}
	line, err := json.Marshal(kept)
	if err == nil {
		_, err = j.f.Write(append(line, '\n'))
	}
	if err != nil {
		return wire.Frame{}, fmt.Errorf("the events of run %s cannot be written down: %w", j.run, err)
	}
	j.seq++
	return f, nil
}

// passes reports whether an event is of no use when it has passed.
func passes(e wire.Event) bool {
	switch e.(type) {
	case wire.Progress, wire.Loading, wire.Downloading:
		return true
	}
	return false
}

func (j *journal) close() error { return j.f.Close() }

// eachEvent calls f with every whole line and its frame, until it says no.
func eachEvent(r io.Reader, f func(raw []byte, e entry) bool) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		raw, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e entry
		if json.Unmarshal(raw, &e) != nil || e.Seq == 0 {
			return nil // what follows a damaged line has no number that can be trusted
		}
		if !f(raw, e) {
			return nil
		}
	}
}

// replayBytes bounds a reply, well below wire.MaxFrame.
const replayBytes = 512 << 10

// bookmark is where in its file a run's event of a number begins.
type bookmark struct {
	seq uint64
	at  int64
}

// replay gives the events of a run from a number on, as many as fit into one reply. Who asks for all of them asks many times: where the last
// reply ended is remembered, so that a long run is read once, and not once for each reply.
func (h *Host) replay(r wire.Replay) (wire.Told, error) {
	dir, err := h.runDir(r.Run)
	if err != nil {
		return wire.Told{}, err
	}
	told := wire.Told{Events: []wire.Frame{}, Next: max(r.Seq, 1)}
	f, err := os.Open(filepath.Join(dir, eventsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return told, nil
	}
	if err != nil {
		return told, fmt.Errorf("the events of run %s: %w", r.Run, err)
	}
	defer f.Close()
	h.mu.Lock()
	from := h.replayed[r.Run]
	h.mu.Unlock()
	if from.seq == 0 || from.seq > told.Next || !from.in(f) {
		from = bookmark{1, 0}
	}
	if _, err := f.Seek(from.at, io.SeekStart); err != nil {
		return told, fmt.Errorf("the events of run %s: %w", r.Run, err)
	}
	size, at := 0, from.at
	err = eachEvent(f, func(raw []byte, e entry) bool {
		if e.Seq < r.Seq {
			at += int64(len(raw))
			return true
		}
		if size += len(raw); size > replayBytes && len(told.Events) > 0 {
			return false
		}
		at += int64(len(raw))
		told.Next = e.Seq + 1
		if e.Data != nil {
			e.Run = r.Run
			told.Events = append(told.Events, e.Frame)
		}
		return true
	})
	if err == nil {
		h.mu.Lock()
		h.replayed[r.Run] = bookmark{told.Next, at}
		h.mu.Unlock()
	}
	return told, err
}

// in reports whether the event is there, or nothing yet: a run of the same name may have come in the place of one that was deleted.
func (p bookmark) in(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Size() <= p.at {
		return err == nil && st.Size() == p.at
	}
	ok := false
	err = eachEvent(io.NewSectionReader(f, p.at, st.Size()-p.at), func(_ []byte, e entry) bool {
		ok = e.Seq == p.seq
		return false
	})
	return ok && err == nil
}

// lastEvent is the number of the last event of the run in a directory.
func lastEvent(dir string) (uint64, error) {
	j, err := openJournal(dir, filepath.Base(dir), 0)
	if err != nil {
		return 0, err
	}
	return j.seq, j.close()
}
