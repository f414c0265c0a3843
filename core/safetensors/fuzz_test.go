package safetensors

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"
)

// Whatever opens must read completely, and come back the same when it is written again.
func FuzzNewReader(f *testing.F) {
	f.Add(raw("{}", 0))
	f.Add(raw(one("F32", "[2,3]", "[0,24]"), 24))
	f.Add(raw(`{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[],"data_offsets":[2,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}  `, 4))
	f.Add(raw(`{"a":{"dtype":"F4","shape":[2,0],"data_offsets":[0,0],"x":[{}]},"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\nsize 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err != nil {
			return
		}
		var again []Tensor
		var total int64
		for _, info := range file.Tensors() {
			data, err := file.ReadBytes(info.Name)
			if err != nil || int64(len(data)) != info.Bytes {
				t.Fatalf("%q: %d bytes of %d, %v", info.Name, len(data), info.Bytes, err)
			}
			total += info.Bytes
			switch info.DType {
			case "F32", "F16", "BF16", "F64":
				if err := file.ReadF32(info.Name, make([]float32, info.Shape.Elements())); err != nil {
					t.Fatal(err)
				}
			}
			again = append(again, Tensor{info.Name, info.DType, info.Shape, bytesOf(data)})
		}
		if total > int64(len(b)) {
			t.Fatalf("%d bytes of tensors in a file of %d", total, len(b))
		}
		var out bytes.Buffer
		if err := Write(&out, again, file.Metadata()); err != nil {
			t.Fatal(err)
		}
		copied, err := open(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, info := range copied.Tensors() {
			was := file.Tensors()[i]
			r, err := copied.Reader(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(r)
			want, _ := file.ReadBytes(was.Name)
			if info.Name != was.Name || info.DType != was.DType || !info.Shape.Equal(was.Shape) || !bytes.Equal(got, want) {
				t.Fatalf("%+v became %+v", was, info)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(goodIndex))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseIndex(b)
		if err == nil && len(m) == 0 {
			t.Fatal("an empty weight_map passes")
		}
		for _, s := range slices.Sorted(maps.Values(m)) { // in order, so that the fuzzer sees one path for one input
			if shardName(s) == nil && bytes.ContainsAny([]byte(s), "/\\") {
				t.Fatalf("shard name %q passes", s)
			}
		}
	})
}
