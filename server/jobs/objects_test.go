package jobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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
