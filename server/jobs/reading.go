package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// File is one of a run, read from its beginning or from behind what its reader has already.
type File interface {
	io.ReadCloser
	Skip(n int64) error // before the first Read; what is skipped is not brought from the engine
}

// reading reads an object that has the hash of its content at the end of its name, piece by piece. The engine's own reader has one bound
// for the whole of a file, while somebody takes it who may need hours, and stays open at the engine for a while after that.
type reading struct {
	b      *Broker
	ctx    context.Context
	bucket string // its stream
	pieces string // subject of its messages
	sha    string
	left   int64 // bytes that have not come yet
	skip   int64
	rest   []byte           // of the last piece
	sum    hash.Hash        // of what has come; nil where it does not begin at the beginning
	from   jetstream.Stream // nil before the first Read
	at     uint64           // where in the stream the next piece is looked for
}

// pieceTime is how long the next piece may take.
const pieceTime = 30 * time.Second

// read begins to read an object.
func (b *Broker) read(ctx context.Context, in jetstream.ObjectStore, name string) (*reading, error) {
	info, err := in.GetInfo(ctx, name)
	if err != nil {
		return nil, err
	}
	return &reading{b: b, ctx: ctx, bucket: "OBJ_" + info.Bucket, pieces: fmt.Sprintf("$O.%s.C.%s", info.Bucket, info.NUID),
		sha: name[strings.LastIndexByte(name, '.')+1:], left: int64(info.Size), sum: sha256.New()}, nil
}

func (r *reading) Skip(n int64) error {
	if n < 0 || n > r.left || r.from != nil {
		return fmt.Errorf("jobs: %d bytes cannot be skipped of the %d of a file", n, r.left)
	}
	r.skip = n
	return nil
}

func (r *reading) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.left == r.skip {
			if r.sum != nil && r.skip == 0 && hex.EncodeToString(r.sum.Sum(nil)) != r.sha {
				return 0, fmt.Errorf("jobs: a stored file is damaged: its SHA-256 is %x, not %s", r.sum.Sum(nil), r.sha)
			}
			return 0, io.EOF
		}
		if r.from == nil {
			if err := r.begin(); err != nil {
				return 0, err
			}
		}
		if err := r.next(); err != nil {
			return 0, err
		}
		if r.left -= int64(len(r.rest)); r.left < 0 {
			return 0, errors.New("jobs: a stored file has more bytes than it should")
		}
		if r.sum != nil {
			r.sum.Write(r.rest)
		}
		drop := min(r.skip, int64(len(r.rest)))
		r.rest, r.skip = r.rest[drop:], r.skip-drop
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// begin looks for the piece in which what is not skipped begins.
func (r *reading) begin() (err error) {
	if r.skip > 0 {
		if err := r.find(); err != nil {
			return err
		}
		r.sum = nil
	}
	if r.from, err = r.b.js.Stream(r.ctx, r.bucket); err != nil {
		return fmt.Errorf("jobs: reading a file: %w", err)
	}
	return nil
}

// next brings a piece.
func (r *reading) next() error {
	ctx, cancel := context.WithTimeout(r.ctx, pieceTime)
	defer cancel()
	m, err := r.from.GetMsg(ctx, max(r.at, 1), jetstream.WithGetMsgSubject(r.pieces)) // the first one there or behind
	if err != nil {
		return fmt.Errorf("jobs: reading a file: %w", err)
	}
	r.rest, r.at = m.Data, m.Sequence+1
	return nil
}

// find sets the place of the piece in which the first byte lies that is not skipped, and skips those before. Only their sizes come.
func (r *reading) find() error {
	consumer, leave, err := r.b.ordered(r.ctx, r.bucket, jetstream.OrderedConsumerConfig{FilterSubjects: []string{r.pieces}, HeadersOnly: true})
	if err != nil {
		return fmt.Errorf("jobs: reading a file: %w", err)
	}
	defer leave()
	it, err := consumer.Messages(jetstream.PullMaxMessages(1000))
	if err != nil {
		return fmt.Errorf("jobs: reading a file: %w", err)
	}
	defer it.Stop()
	for {
		ctx, cancel := context.WithTimeout(r.ctx, pieceTime)
		m, err := it.Next(jetstream.NextContext(ctx))
		cancel()
		if err != nil {
			return fmt.Errorf("jobs: reading a file: %w", err)
		}
		size, err := strconv.ParseInt(m.Headers().Get(nats.MsgSize), 10, 64)
		if err != nil {
			return fmt.Errorf("jobs: the size of a piece of a file: %w", err)
		}
		if size > r.skip {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			r.at = meta.Sequence.Stream
			return nil
		}
		r.skip, r.left = r.skip-size, r.left-size
	}
}

// Close is for io.ReadCloser: nothing is open at the engine between two pieces.
func (r *reading) Close() error { return nil }
