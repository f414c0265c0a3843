package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// storePieces stores bytes as a file of a run, in pieces of 1000 bytes, and gives its name.
func (s *shop) storePieces(t *testing.T, raw []byte) string {
	t.Helper()
	sum := sha256.Sum256(raw)
	name := stateObject("ada", "m/v0-20260101-000000", hex.EncodeToString(sum[:]))
	meta := jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: 1000}}
	if _, err := s.states.Put(t.Context(), meta, bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return name
}

// inMemory is a file that lies here.
type inMemory struct{ *bytes.Reader }

func (f inMemory) Skip(n int64) error { _, err := f.Seek(n, io.SeekCurrent); return err }
func (inMemory) Close() error         { return nil }

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return raw
}

// Somebody on a slow line takes longer for a file than the engine's client waits for an answer.
func TestSlowDownload(t *testing.T) {
	s := openShop(t, time.Second)
	raw := noise(100_000)
	in, err := s.open(t.Context(), "x", s.storePieces(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got := make([]byte, 1500)
	if _, err := io.ReadFull(in, got); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5500 * time.Millisecond)
	rest, err := io.ReadAll(in)
	if got = append(got, rest...); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%d of %d bytes came: %v", len(got), len(raw), err)
	}
}

// What a reader has already is skipped, wherever a piece ends, in one file as in a log that is put together; damage is seen.
func TestSkip(t *testing.T) {
	s := openShop(t, time.Second)
	raw, more := noise(5500), noise(2000)
	whole := append(bytes.Clone(raw), more...)
	names := map[int64]string{5500: s.storePieces(t, raw), 2000: s.storePieces(t, more)}
	for _, n := range []int64{0, 1, 999, 1000, 1001, 5000, 5499, 5500, 5501, 6500, 7500} {
		var files []File
		if n <= 5500 {
			in, err := s.open(t.Context(), "x", names[5500])
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, in)
		}
		files = append(files, &inPieces{ctx: t.Context(), left: []piece{{Size: 5500}, {Size: 2000}}, open: func(_ context.Context, p piece) (File, error) {
			return s.open(t.Context(), "x", names[p.Size])
		}})
		for _, in := range files {
			want := whole[n:]
			if _, one := in.(*reading); one {
				want = raw[n:]
			}
			if err := in.Skip(n); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(in)
			in.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%T from %d on: %d bytes, want %d (%v)", in, n, len(got), len(want), err)
			}
		}
	}
	if in, err := s.open(t.Context(), "x", names[5500]); err != nil || in.Skip(5501) == nil {
		t.Errorf("what lies behind the end is skipped (%v)", err)
	}
	in, err := s.read(t.Context(), s.states, names[2000])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	in.sha = strings.Repeat("0", 64)
	if _, err := io.ReadAll(in); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("bytes that are not those of the hash: %v", err)
	}
}

// The engine has room for a thousand readers of a stream. Files that are taken, also from an offset, and pages that come and go leave
// none there.
func TestReadersLeave(t *testing.T) {
	s := openShop(t, time.Second)
	raw := noise(5000)
	name := s.storePieces(t, raw)
	for i := range 30 {
		in, err := s.open(t.Context(), "x", name)
		if err != nil {
			t.Fatal(err)
		}
		skip := int64(i % 2 * 2500)
		if err := in.Skip(skip); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, raw[skip:]) {
			t.Fatalf("%d bytes: %v", len(got), err)
		}
		in.Close()
		ctx, leave := context.WithCancel(t.Context())
		if err := s.desk.Events(ctx, leave, func([]byte) {}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"OBJ_states", "EVENTS"} {
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			stream, err := s.js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			n := stream.CachedInfo().State.Consumers
			if n == 0 {
				break
			}
			if time.Since(began) > 5*time.Second {
				t.Fatalf("%d readers are left at %s", n, name)
			}
		}
	}
}
