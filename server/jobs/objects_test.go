package jobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// What an engine that was gone has entered without its pieces is written again, not waited for.
func TestObjectWithoutPieces(t *testing.T) {
	s := openShop(t, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i, want := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("pieces "), 1<<16)} {
		name := fmt.Sprint("file", i)
		put := func() {
			t.Helper()
			if err := s.put(ctx, s.Broker.files, name, int64(len(want)), func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(want)), nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		there := func() bool {
			t.Helper()
			yes, err := s.present(ctx, s.Broker.files, name)
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		if there() {
			t.Fatal("there before it was put")
		}
		put()
		if !there() {
			t.Fatal("not there after it was put")
		}
		if len(want) > 0 {
			info, err := s.Broker.files.GetInfo(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := s.js.Stream(ctx, "OBJ_files")
			if err == nil {
				err = stream.Purge(ctx, jetstream.WithPurgeSubject("$O.files.C."+info.NUID))
			}
			if err != nil {
				t.Fatal(err)
			}
			if there() {
				t.Fatal("there without its pieces")
			}
			put()
		}
		if got, err := s.Broker.files.GetBytes(ctx, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
		}
	}
}

// A run with more files than one frame can name is carried with all of them.
func TestCarryMany(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	var want []wire.Blob
	for i := range 3*blobsInFrame + 7 {
		want = append(want, wire.Blob{Path: fmt.Sprintf("checkpoint-%d/state.safetensors", i), Size: 1, SHA256: strings.Repeat("a", 64)})
	}
	if _, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.State = &State{Step: 9, Files: want}; return nil }); err != nil {
		t.Fatal(err)
	}
	got, err := wire.AskCarried(t.Context(), s.desk, id)
	if err != nil || got.Step != 9 || !slices.Equal(got.Files, want) {
		t.Errorf("step %d, %d files, %v", got.Step, len(got.Files), err)
	}
}
