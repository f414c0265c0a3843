package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/wire"
)

// resumed is a server with one run that ended, went on for a long time, and ends again. It says how the run is when it has told more than
// a client has a buffer for.
func resumed(t *testing.T, id string, events uint64) http.HandlerFunc {
	event := func(seq uint64) wire.Frame {
		var e wire.Event = wire.Stepped{Step: int(seq)}
		if seq == 1 || seq == events {
			e = wire.Finished{Step: int(seq)}
		}
		raw, _ := json.Marshal(e)
		return wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: seq, Name: wire.Name(e), Data: raw}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		answer := func(id uint64, reply any) {
			raw, _ := json.Marshal(reply)
			_ = conn.WriteJSON(wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: id, Data: raw}) // who has gone is found below
		}
		var asked []uint64 // how the run is
		much := false
		for {
			var f wire.Frame
			if conn.ReadJSON(&f) != nil {
				return
			}
			switch f.Name {
			case wire.Login{}.Name():
				answer(0, wire.Welcome{})
			case wire.Replay{}.Name():
				var q wire.Replay
				if err := json.Unmarshal(f.Data, &q); err != nil {
					t.Error(err)
				}
				told := wire.Told{Events: []wire.Frame{}}
				for seq := q.Seq; seq < min(q.Seq+1000, events); seq++ {
					told.Events = append(told.Events, event(seq))
				}
				if answer(f.ID, told); q.Seq > 4000 && !much {
					much = true
					time.Sleep(100 * time.Millisecond) // so that the client is at it
					_ = conn.WriteJSON(event(events))
				}
			case wire.Runs{}.Name():
				asked = append(asked, f.ID)
			}
			for ; much && len(asked) > 0; asked = asked[1:] {
				answer(asked[0], wire.RunList{Runs: []wire.Run{{ID: id, Status: "done"}}})
			}
		}
	}
}

// Who attaches to a run with an end in its past, and more behind it than is buffered, sees its end, and can ask for its result.
func TestAttachToResumed(t *testing.T) {
	const id = "m/v0-20260131-120000"
	server := httptest.NewServer(resumed(t, id, 20_000))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e := env{ctx: ctx, out: io.Discard, err: io.Discard}
	r := remote{url: server.URL}
	if err := r.connect(e); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Follow(id, 1)
	end, err := r.watch(e, id, "plain")
	if _, ok := end.(wire.Finished); !ok || err != nil {
		t.Fatalf("%+v, %v", end, err)
	}
	if _, err := r.find(ctx, id); err != nil {
		t.Errorf("after the end nothing is answered: %v", err)
	}
}

// A deletion whose reply does not come is asked for again, and is done.
func TestDeletedBeforeTheReply(t *testing.T) {
	const id = "m/v0-20260131-120000"
	var gone atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for {
			var f wire.Frame
			if conn.ReadJSON(&f) != nil {
				return
			}
			var reply any
			out := wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: f.ID}
			switch f.Name {
			case wire.Login{}.Name():
				reply = wire.Welcome{}
			case wire.Runs{}.Name():
				reply = wire.RunList{Runs: []wire.Run{{ID: id, Status: "stopped"}}}
			case wire.Hello{}.Name():
				reply = wire.Host{Storage: wire.Storage{Used: 3 << 20}}
			case wire.Delete{}.Name():
				if !gone.Swap(true) {
					return
				}
				out.Error, out.Status = "there is no run "+id+" of yours on this server", http.StatusNotFound
			}
			out.Data, _ = json.Marshal(reply)
			_ = conn.WriteJSON(out) // who has gone is found above
		}
	}))
	defer server.Close()
	var out strings.Builder
	if err := deleteRun(env{ctx: t.Context(), out: &out, err: io.Discard}, []string{id, "--remote", server.URL}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "is deleted") || !strings.Contains(out.String(), "you have 3.0 MiB") {
		t.Errorf("%s", &out)
	}
}
