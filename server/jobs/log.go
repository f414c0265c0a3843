package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// A log grows with every step, and every State has it. So it is stored in pieces, and a State writes those that are new. A piece is
// put together with the one before while that one is no larger: there are few of them, and a line is written again only when what
// came after it has doubled.

// piece is a part of a log, an object by its content.
type piece struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// maxPiece is where a piece stays as it is.
const maxPiece = 8 << 20

// logStore knows how far a log is stored.
type logStore struct {
	pieces []piece
	gone   []piece // are in larger ones now
	size   int64
	sum    hash.Hash // of the whole
	epoch  int64     // of what has been looked at
}

// logFile is a log as it was at a moment: it only grows, until its run goes back to an earlier State; then epoch counts on.
type logFile struct {
	*os.File
	size, epoch int64
}

func openLog(run checkpoint.Run, epoch int64) (*logFile, error) {
	f, err := os.Open(run.LogPath())
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &logFile{f, st.Size(), epoch}, nil
}

// store brings what is new of a log to where put puts it, and gives the file with its pieces.
func (l *logStore) store(f *logFile, put func(p piece, in io.ReaderAt, from int64) error) (wire.Blob, []piece, error) {
	if l.sum == nil || l.epoch != f.epoch || f.size < l.size {
		if err := l.compare(f); err != nil {
			return wire.Blob{}, nil, err
		}
	}
	if f.size > l.size {
		pieces, from := l.pieces, l.size
		for n := len(pieces); n > 0 && pieces[n-1].Size <= f.size-from && pieces[n-1].Size+f.size-from <= maxPiece; n-- {
			from -= pieces[n-1].Size
			pieces = pieces[:n-1]
		}
		merged := l.pieces[len(pieces):]
		pieces = append([]piece(nil), pieces...)
		for from < f.size {
			p := piece{Size: min(maxPiece, f.size-from)}
			h := sha256.New()
			if _, err := io.Copy(h, io.NewSectionReader(f, from, p.Size)); err != nil {
				return wire.Blob{}, nil, err
			}
			p.SHA256 = hex.EncodeToString(h.Sum(nil))
			if err := put(p, f, from); err != nil {
				return wire.Blob{}, nil, err
			}
			pieces, from = append(pieces, p), from+p.Size
		}
		if _, err := io.Copy(l.sum, io.NewSectionReader(f, l.size, f.size-l.size)); err != nil {
			l.sum = nil // nobody knows how far it has come
			return wire.Blob{}, nil, err
		}
		l.gone = append(l.gone, merged...)
		l.pieces, l.size = pieces, f.size
	}
	return wire.Blob{Path: checkpoint.LogFile, Size: l.size, SHA256: hex.EncodeToString(l.sum.Sum(nil))}, append([]piece(nil), l.pieces...), nil
}

// compare finds out which of the stored pieces a log begins with.
func (l *logStore) compare(f *logFile) error {
	same := 0
	l.sum, l.size, l.epoch = sha256.New(), 0, f.epoch
	for _, p := range l.pieces {
		if l.size+p.Size > f.size {
			break
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, l.size, p.Size)); err != nil {
			l.sum = nil
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != p.SHA256 {
			break
		}
		if _, err := io.Copy(l.sum, io.NewSectionReader(f, l.size, p.Size)); err != nil {
			l.sum = nil
			return err
		}
		l.size += p.Size
		same++
	}
	l.gone = append(l.gone, l.pieces[same:]...)
	l.pieces = l.pieces[:same:same]
	return nil
}

// inPieces reads a file that is stored in pieces, one after the other.
type inPieces struct {
	ctx  context.Context
	left []piece
	open func(ctx context.Context, p piece) (File, error)
	in   File
	skip int64 // of the first of those that are left
}

func (r *inPieces) Skip(n int64) error {
	for len(r.left) > 0 && n >= r.left[0].Size {
		n, r.left = n-r.left[0].Size, r.left[1:]
	}
	if r.skip = n; n != 0 && len(r.left) == 0 || r.in != nil {
		return fmt.Errorf("jobs: %d bytes cannot be skipped behind the end of a file", n)
	}
	return nil
}

func (r *inPieces) Read(p []byte) (int, error) {
	for {
		if r.in == nil {
			if len(r.left) == 0 {
				return 0, io.EOF
			}
			in, err := r.open(r.ctx, r.left[0])
			if err != nil {
				return 0, err
			}
			r.in, r.left = in, r.left[1:]
			if err := in.Skip(r.skip); err != nil {
				return 0, err
			}
			r.skip = 0
		}
		n, err := r.in.Read(p)
		if errors.Is(err, io.EOF) {
			err = r.in.Close()
			r.in = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *inPieces) Close() error {
	if r.in == nil {
		return nil
	}
	return r.in.Close()
}
