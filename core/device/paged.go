package device

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"hone/core/tensor"
)

// Paged is a tensor that waits in the host's memory for its turn on a device. No program can be bound to it: PageIn brings its
// values into a buffer of the device, PageOut takes them back.
type Paged struct {
	typ   tensor.Type
	bytes []byte // as Upload takes them
}

// NewPaged reads a tensor's little-endian bytes; a nil reader gives zeros.
func NewPaged(t tensor.Type, r io.Reader) (*Paged, error) {
	p := &Paged{typ: t, bytes: make([]byte, t.Bytes())}
	if r == nil {
		return p, nil
	}
	if n, err := io.ReadFull(r, p.bytes); err != nil {
		return nil, fmt.Errorf("device: %v stops after %d of %d bytes: %w", t, n, len(p.bytes), err)
	}
	return p, nil
}

func (p *Paged) Type() tensor.Type { return p.typ }
func (p *Paged) Release()          { p.bytes = nil }

// PageIn copies the values into a buffer of the same type.
func (p *Paged) PageIn(ctx context.Context, d Device, b Buffer) error {
	return d.Write(ctx, b, bytes.NewReader(p.bytes))
}

// PageOut takes the values of a buffer of the same type.
func (p *Paged) PageOut(ctx context.Context, d Device, b Buffer) error {
	w := &page{bytes: p.bytes}
	if err := d.Download(ctx, b, w); err != nil {
		return err
	}
	if w.at != len(p.bytes) {
		return fmt.Errorf("device: a buffer of type %v gave %d bytes for %v", b.Type(), w.at, p.typ)
	}
	return nil
}

// page takes what is written into memory that is there.
type page struct {
	bytes []byte
	at    int
}

func (p *page) Write(b []byte) (int, error) {
	n := copy(p.bytes[p.at:], b)
	if p.at += n; n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Download writes the values of a tensor wherever it is: on the device, or paged.
func Download(ctx context.Context, d Device, b Buffer, w io.Writer) error {
	if p, ok := b.(*Paged); ok {
		_, err := w.Write(p.bytes)
		return err
	}
	return d.Download(ctx, b, w)
}
