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

// reading reads an object that has the hash of its content at the end of its name. The engine's own reader has one bound for the whole
// of a file, while somebody takes it who may need hours; here it is for each piece.
type reading struct {
	b      *Broker
	ctx    context.Context
	stream string
	pieces string // subject of its messages
	sha    string
	left   int64 // bytes that have not come yet
	skip   int64
	rest   []byte                    // of the last piece
	sum    hash.Hash                 // of what has come; nil where it does not begin at the beginning
	it     jetstream.MessagesContext // nil before the first Read
}

// Bounds of a read.
const (
	pieceTime   = 30 * time.Second // for the next piece
	piecesAhead = 16               // of 128 KiB each, that come before they are asked for
)

// read begins to read an object.
func (b *Broker) read(ctx context.Context, in jetstream.ObjectStore, name string) (*reading, error) {
	info, err := in.GetInfo(ctx, name)
	if err != nil {
		return nil, err
	}
	return &reading{b: b, ctx: ctx, stream: "OBJ_" + info.Bucket, pieces: fmt.Sprintf("$O.%s.C.%s", info.Bucket, info.NUID),
		sha: name[strings.LastIndexByte(name, '.')+1:], left: int64(info.Size), sum: sha256.New()}, nil
}

func (r *reading) Skip(n int64) error {
	if n < 0 || n > r.left || r.it != nil {
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
		if r.it == nil {
			if err := r.begin(); err != nil {
				return 0, err
			}
		}
		m, err := r.next(r.it)
		if err != nil {
			return 0, err
		}
		r.rest = m.Data()
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

// begin lets the pieces come, from the one on in which what is not skipped begins.
func (r *reading) begin() error {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{r.pieces}}
	if r.skip > 0 {
		at, err := r.find()
		if err != nil {
			return err
		}
		c.DeliverPolicy, c.OptStartSeq, r.sum = jetstream.DeliverByStartSequencePolicy, at, nil
	}
	var err error
	r.it, err = r.messages(c, piecesAhead)
	return err
}

// find gives the place of the piece in which the first byte lies that is not skipped, and skips those before. Only their sizes come.
func (r *reading) find() (at uint64, err error) {
	it, err := r.messages(jetstream.OrderedConsumerConfig{FilterSubjects: []string{r.pieces}, HeadersOnly: true}, 1000)
	if err != nil {
		return 0, err
	}
	defer it.Stop()
	for {
		m, err := r.next(it)
		if err != nil {
			return 0, err
		}
		size, err := strconv.ParseInt(m.Headers().Get(nats.MsgSize), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("jobs: the size of a piece of a file: %w", err)
		}
		if size > r.skip {
			meta, err := m.Metadata()
			if err != nil {
				return 0, err
			}
			return meta.Sequence.Stream, nil
		}
		r.skip, r.left = r.skip-size, r.left-size
	}
}

func (r *reading) messages(c jetstream.OrderedConsumerConfig, ahead int) (jetstream.MessagesContext, error) {
	consumer, err := r.b.js.OrderedConsumer(r.ctx, r.stream, c)
	if err != nil {
		return nil, fmt.Errorf("jobs: reading a file: %w", err)
	}
	it, err := consumer.Messages(jetstream.PullMaxMessages(ahead))
	if err != nil {
		return nil, fmt.Errorf("jobs: reading a file: %w", err)
	}
	return it, nil
}

func (r *reading) next(it jetstream.MessagesContext) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(r.ctx, pieceTime)
	defer cancel()
	m, err := it.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("jobs: reading a file: %w", err)
	}
	return m, nil
}

func (r *reading) Close() error {
	if r.it != nil {
		r.it.Stop()
	}
	return nil
}
