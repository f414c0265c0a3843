package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// raw puts a file together from a header and a number of data bytes.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func open(b []byte) (*File, error) {
	return NewReader(bytes.NewReader(b), int64(len(b)), "x.safetensors")
}

func one(dtype, shape, offsets string) string {
	return fmt.Sprintf(`{"a":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
}

func TestHostileFiles(t *testing.T) {
	u8 := func(name string, from, to int) string {
		return fmt.Sprintf(`%q:{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}`, name, to-from, from, to)
	}
	good := raw(one("F32", "[2,3]", "[0,24]"), 24)
	for _, c := range []struct {
		name string
		file []byte
		want string // part of the error
	}{
		{"empty", nil, "is empty"},
		{"seven bytes", []byte("1234567"), "only 7 bytes"},
		{"header beyond the file", good[:20], "the file ends after 12"},
		{"header of 2^63", append([]byte{0, 0, 0, 0, 0, 0, 0, 0x80}, good...), "more than the format's limit"},
		{"header of 100 MB and a byte", append(binary.LittleEndian.AppendUint64(nil, maxHeader+1), good...), "limit of 100000000"},
		{"zip", []byte("PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00"), "this is no safetensors file"},
		{"empty header", raw("", 0), "not a JSON object"},
		{"array", raw("[]", 0), "not a JSON object"},
		{"space in front", raw(" {}", 0), "not a JSON object"},
		{"cut JSON", raw(`{"a":{"dtype":"F32"`, 0), "not valid JSON"},
		{"garbage after the object", raw("{}x", 0), "not valid JSON"},
		{"second object", raw("{} {}", 0), "not valid JSON"},
		{"zero bytes as padding", raw("{}\x00\x00", 0), "not valid JSON"},
		{"not UTF-8", raw("{\"\xff\":1}", 0), "not UTF-8"},
		{"deep", raw(`{"a":`+strings.Repeat("[", 1<<20), 0), "not valid JSON"},
		{"deep and closed", raw(`{"a":`+strings.Repeat("[", 1<<16)+strings.Repeat("]", 1<<16)+"}", 0), "not valid JSON"},
		{"deep shape", raw(one("U8", strings.Repeat("[", 9000)+strings.Repeat("]", 9000), "[0,0]"), 0), "shape"},
		{"tensor is a number", raw(`{"a":1}`, 0), `tensor "a": want an object`},
		{"tensor twice", raw("{"+u8("a", 0, 4)+","+u8("a", 4, 8)+"}", 8), `tensor "a" stands twice`},
		{"same name through an escape", raw("{"+u8("a", 0, 4)+","+strings.Replace(u8("b", 4, 8), `"b"`, `"\u0061"`, 1)+"}", 8), "twice"},
		{"dtype twice", raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `"dtype" stands twice`},
		{"no dtype", raw(`{"a":{"shape":[0],"data_offsets":[0,0]}}`, 0), "no dtype"},
		{"no shape", raw(`{"a":{"dtype":"U8","data_offsets":[0,0]}}`, 0), "no shape"},
		{"no offsets", raw(`{"a":{"dtype":"U8","shape":[0]}}`, 0), "no data_offsets"},
		{"unknown dtype", raw(one("F31", "[1]", "[0,4]"), 4), `unknown dtype "F31"`},
		{"dtype a number", raw(`{"a":{"dtype":3,"shape":[0],"data_offsets":[0,0]}}`, 0), "dtype: want a string"},
		{"negative length", raw(one("U8", "[-1]", "[0,1]"), 1), "shape: want a whole number"},
		{"fraction", raw(one("U8", "[1.5]", "[0,1]"), 1), "whole number"},
		{"exponent", raw(one("U8", "[1e0]", "[0,1]"), 1), "whole number"},
		{"length as text", raw(one("U8", `["1"]`, "[0,1]"), 1), "whole number"},
		{"length beyond 64 bits", raw(one("U8", "[99999999999999999999]", "[0,1]"), 1), "whole number"},
		{"elements overflow", raw(one("U8", "[4294967296,4294967296]", "[0,0]"), 0), "more elements than can be counted"},
		{"overflow before a zero", raw(one("U8", "[4294967296,4294967296,0]", "[0,0]"), 0), "more elements"},
		{"bits overflow", raw(one("U8", "[9223372036854775807]", "[0,9223372036854775807]"), 0), "more bytes than can be counted"},
		{"bytes overflow", raw(one("F64", "[4611686018427387904]", "[0,0]"), 0), "more bytes than can be counted"},
		{"half a byte", raw(one("F4", "[3]", "[0,1]"), 1), "does not fill whole bytes"},
		{"bytes differ from shape", raw(one("F32", "[2,3]", "[0,20]"), 20), "takes 24 bytes, but data_offsets hold 20"},
		{"one offset", raw(one("U8", "[1]", "[0]"), 1), "data_offsets has 1 numbers"},
		{"end before begin", raw(one("U8", "[1]", "[1,0]"), 1), "before they begin"},
		{"negative offset", raw(one("U8", "[1]", "[-1,0]"), 1), "data_offsets: want a whole number"},
		{"overlap", raw("{"+u8("a", 0, 4)+","+u8("b", 2, 6)+"}", 6), `tensor "b" begins at data byte 2, inside tensor "a"`},
		{"same place", raw("{"+u8("a", 0, 4)+","+u8("b", 0, 4)+"}", 4), "inside tensor"},
		{"hole", raw("{"+u8("a", 0, 4)+","+u8("b", 5, 6)+"}", 6), `bytes 4 to 5, before tensor "b"`},
		{"hole in front", raw("{"+u8("a", 1, 4)+"}", 4), "bytes 0 to 1"},
		{"truncated", good[:len(good)-5], "truncated: 5 of 24 data bytes are missing"},
		{"far out of range", raw(one("U8", "[576460752303423488]", "[0,576460752303423488]"), 8), "truncated"},
		{"appended", append(good[:len(good):len(good)], 1, 2, 3), "3 bytes follow the last tensor"},
		{"data without tensors", raw("{}", 4), "4 bytes follow"},
		{"metadata a list", raw(`{"__metadata__":[]}`, 0), "__metadata__: want an object"},
		{"metadata of numbers", raw(`{"__metadata__":{"a":1}}`, 0), `key "a": want a string`},
		{"metadata key twice", raw(`{"__metadata__":{"a":"1","a":"2"}}`, 0), `key "a" stands twice`},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "__metadata__ stands twice"},
		{"LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 327657928\n"), "of 327657928 bytes; run `git lfs pull`"},
	} {
		f, err := open(c.file)
		if err == nil {
			t.Errorf("%s: opened with tensors %v, want an error with %q", c.name, f.Tensors(), c.want)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, c.want) || !strings.HasPrefix(msg, "x.safetensors: ") || len(msg) > 600 {
			t.Errorf("%s: error %.600q, want the file's name and %q", c.name, msg, c.want)
		}
	}
}

func TestUnusualButValid(t *testing.T) {
	for _, c := range []struct {
		name, header string
		data         int
		shape        string
	}{
		{"scalar", one("F32", "[]", "[0,4]"), 4, "[]"},
		{"no elements", one("F32", "[3,0]", "[0,0]"), 0, "[3 0]"},
		{"padding and line ends", one("U8", "[1]", "[0,1]") + " \n\t ", 1, "[1]"},
		{"unknown member", `{"a":{"dtype":"BOOL","note":{"x":[1]},"shape":[1],"data_offsets":[0,1]}}`, 1, "[1]"},
		{"null metadata", `{"__metadata__":null,"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1, "[1]"},
		{"packed four bits", one("F4", "[2,3]", "[0,3]"), 3, "[2 3]"},
		{"eight bits", one("F8_E4M3", "[2]", "[0,2]"), 2, "[2]"},
	} {
		f, err := open(raw(c.header, c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		info, ok := f.Lookup("a")
		if !ok || info.Shape.String() != c.shape || info.Bytes != int64(c.data) || info.Offset != int64(8+len(c.header)) {
			t.Errorf("%s: found %v %+v, want shape %s and %d bytes at %d", c.name, ok, info, c.shape, c.data, 8+len(c.header))
		}
	}
}

// A name of a megabyte and a shape of a million axes still make a short message.
func TestLongNamesAreCutInErrors(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	ones := "[" + strings.Repeat("1,", 1<<20) + "2]"
	_, err := open(raw(fmt.Sprintf(`{%q:{"dtype":"U8","shape":%s,"data_offsets":[0,1]}}`, long, ones), 1))
	if err == nil || len(err.Error()) > 500 {
		t.Fatalf("error of %d bytes, want a short one", len(fmt.Sprint(err)))
	}
}
