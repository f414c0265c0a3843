package host

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"hone/core/wire"
)

// The events of a long run are read once, however many replies they take; and where another run has come in the place of one that is gone,
// its own are told.
func TestReplayGoesOn(t *testing.T) {
	h := open(t, t.TempDir())
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 1})}).Run
	h.until("finished")
	waitIdle(h)
	path := filepath.Join(h.dir, runsDir, filepath.FromSlash(id), eventsFile)
	long := func(n int, loss float64) []byte {
		var b bytes.Buffer
		for i := range n {
			data, err := json.Marshal(wire.Stepped{Step: i + 1, Loss: loss})
			if err != nil {
				t.Fatal(err)
			}
			line, err := json.Marshal(entry{Frame: wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: uint64(i + 1), Name: "stepped", Data: data}})
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		return b.Bytes()
	}
	write := func(raw []byte) {
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const n = 10_000
	raw := long(n, 1)
	write(raw)
	next, replies := uint64(1), 0
	for {
		told := ask[wire.Told](h, wire.Replay{Run: id, Seq: next})
		if len(told.Events) == 0 {
			break
		}
		if told.Events[0].Seq != next || told.Next != next+uint64(len(told.Events)) {
			t.Fatalf("events %d and so on, next %d, where %d was asked for", told.Events[0].Seq, told.Next, next)
		}
		if next, replies = told.Next, replies+1; replies == 1 {
			write(append([]byte("?"), raw[1:]...)) // nobody reads the beginning any more
		}
	}
	if next != n+1 || replies < 3 {
		t.Errorf("%d events in %d replies", next-1, replies)
	}
	write(long(3000, 22.5))
	for _, at := range []uint64{2500, 1} {
		if told := ask[wire.Told](h, wire.Replay{Run: id, Seq: at}); len(told.Events) == 0 || told.Events[0].Seq != at || !bytes.Contains(told.Events[0].Data, []byte("22.5")) {
			t.Errorf("from %d on: %+v", at, told)
		}
	}
}
