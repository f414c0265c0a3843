package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"hone/core/checkpoint"
)

// A log that grows line by line is stored in few pieces, and little of it again and again; what is read is the log as it was at each
// State, also when its run went back to an earlier one, another worker goes on with it, or storing fails now and then.
func TestLogInPieces(t *testing.T) {
	run := checkpoint.Run{Dir: t.TempDir()}
	store := map[string][]byte{} // by hash
	var l logStore
	var stored int64
	failing := false
	put := func(p piece, in io.ReaderAt, from int64) error {
		if failing {
			return errors.New("test: the engine is away")
		}
		raw, err := io.ReadAll(io.NewSectionReader(in, from, p.Size))
		sum := sha256.Sum256(raw)
		if err != nil || int64(len(raw)) != p.Size || hex.EncodeToString(sum[:]) != p.SHA256 {
			t.Fatalf("%d bytes of %+v, %v", len(raw), p, err)
		}
		store[p.SHA256] = raw
		stored += p.Size
		return nil
	}
	save := func(epoch int64) (pieces []piece) {
		t.Helper()
		f, err := openLog(run, epoch)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if failing = stored%3 == 0; failing {
			if _, _, err := l.store(f, put); err == nil && f.size > l.size {
				t.Fatal("nothing was stored, and there is no error")
			}
			failing = false
		}
		blob, pieces, err := l.store(f, put)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(run.LogPath())
		if err != nil {
			t.Fatal(err)
		}
		in := &inPieces{ctx: t.Context(), left: pieces, open: func(_ context.Context, p piece) (File, error) {
			return inMemory{bytes.NewReader(store[p.SHA256])}, nil
		}}
		defer in.Close()
		got, err := io.ReadAll(in)
		sum := sha256.Sum256(want)
		if err != nil || !bytes.Equal(got, want) || blob.Size != int64(len(want)) || blob.SHA256 != hex.EncodeToString(sum[:]) {
			t.Fatalf("a log of %d bytes is read as %d bytes, told as %+v (%v)", len(want), len(got), blob, err)
		}
		for _, p := range l.gone {
			for _, q := range pieces {
				if p == q {
					t.Fatalf("a piece that is needed would be removed: %+v", p)
				}
			}
		}
		for _, p := range l.gone {
			delete(store, p.SHA256)
		}
		l.gone = nil
		return pieces
	}
	write := func(from, to int, text string) {
		t.Helper()
		f, err := os.OpenFile(run.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for step := from; step < to; step++ {
			fmt.Fprintf(f, "{\"step\":%d,\"text\":%q}\n", step, text)
		}
	}
	const saves = 300
	for n := range saves {
		write(10*n, 10*n+10, "a line")
		if pieces := save(1); len(pieces) > 11 {
			t.Fatalf("%d pieces after %d States", len(pieces), n+1)
		} else if len(store) != len(pieces) {
			t.Fatalf("%d objects for %d pieces after %d States", len(store), len(pieces), n+1)
		}
	}
	if most := 11 * l.size; stored > most { // each line once, and again whenever its piece has doubled
		t.Errorf("%d bytes were stored for a log of %d", stored, l.size)
	}
	// Another worker has the pieces alone, and stores what is new.
	l = logStore{pieces: l.pieces}
	stored = 1
	write(10*saves, 10*saves+1, "a line")
	if save(1); stored > l.size/2 {
		t.Errorf("another worker stores %d of %d bytes again", stored, l.size)
	}
	// The run goes back, and its log grows beyond where it was, with other lines.
	if _, err := run.CutLog(5 * saves); err != nil {
		t.Fatal(err)
	}
	write(5*saves+1, 20*saves, "another line")
	save(2)
	// A log that was brought here whole is cut to pieces of a bounded size.
	l = logStore{}
	write(20*saves, 400*saves, "a line that is a bit longer than all of those before")
	for _, p := range save(2) {
		if p.Size > maxPiece {
			t.Errorf("a piece of %d bytes", p.Size)
		}
	}
	before := stored
	write(400*saves, 400*saves+1, "one")
	if save(2); stored-before > maxPiece {
		t.Errorf("%d bytes are stored for one line", stored-before)
	}
}
