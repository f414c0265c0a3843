package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// message reads the fields of a protocol buffer one after the other (encoding: protobuf.dev/programming-guides/encoding). It
// copies nothing and never reads behind the end, so a file costs no more than its size.
type message struct {
	rest   []byte
	number int    // of the field read last
	value  uint64 // of a number; the bits of a float
	bytes  []byte // of a text or a message within
}

var errCut = errors.New("the message ends within a field")

// next reads a field; ok is false at the end.
func (m *message) next() (ok bool, err error) {
	if len(m.rest) == 0 {
		return false, nil
	}
	key, err := m.varint()
	if err != nil {
		return false, err
	}
	if m.number = int(key >> 3 & (1<<29 - 1)); m.number == 0 || key>>32 != 0 {
		return false, errors.New("the message has a field without number")
	}
	m.value, m.bytes = 0, nil
	switch kind := key & 7; kind {
	case 0:
		m.value, err = m.varint()
	case 1:
		if len(m.rest) < 8 {
			return false, errCut
		}
		m.value, m.rest = binary.LittleEndian.Uint64(m.rest), m.rest[8:]
	case 2:
		var n uint64
		if n, err = m.varint(); err == nil {
			if n > uint64(len(m.rest)) {
				return false, errCut
			}
			m.bytes, m.rest = m.rest[:n:n], m.rest[n:]
		}
	case 5:
		if len(m.rest) < 4 {
			return false, errCut
		}
		m.value, m.rest = uint64(binary.LittleEndian.Uint32(m.rest)), m.rest[4:]
	default:
		return false, fmt.Errorf("the message has a field of wire type %d", kind)
	}
	return err == nil, err
}

func (m *message) varint() (uint64, error) {
	v, n := binary.Uvarint(m.rest)
	if n <= 0 {
		return 0, errCut
	}
	m.rest = m.rest[n:]
	return v, nil
}

func (m *message) float() float64 { return float64(math.Float32frombits(uint32(m.value))) }
func (m *message) bool() bool     { return m.value != 0 }
func (m *message) int() int       { return int(int32(m.value)) }
