package safetensors

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// WriteModel writes the weights of a model directory: model.safetensors, or shards of at most maxShard bytes of data with
// their index, as transformers' save_pretrained does. Tensors keep their order; one that is larger than maxShard has a
// shard for itself. 0 is one file. The index comes last, so that a directory with an index is complete.
func WriteModel(dir string, tensors []Tensor, metadata map[string]string, maxShard int64) error {
	shards, total, err := cut(tensors, maxShard)
	if err != nil {
		return err
	}
	if len(shards) <= 1 {
		return WriteFile(filepath.Join(dir, SingleName), tensors, metadata)
	}
	weightMap := map[string]string{}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range shard {
			if weightMap[t.Name] != "" {
				return fmt.Errorf("%s: two tensors are called %.200q", dir, t.Name)
			}
			weightMap[t.Name] = name
		}
		if err := WriteFile(filepath.Join(dir, name), shard, metadata); err != nil {
			return err
		}
	}
	var index bytes.Buffer
	writeJSON(&index, map[string]any{"metadata": map[string]int64{"total_size": total}, "weight_map": weightMap})
	return os.WriteFile(filepath.Join(dir, IndexName), index.Bytes(), 0o644)
}

// cut deals the tensors out to shards and counts their bytes.
func cut(tensors []Tensor, maxShard int64) (shards [][]Tensor, total int64, err error) {
	var size int64
	for i, t := range tensors {
		n, err := dataBytes(t.DType, t.Shape)
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %.200q: %w", t.Name, err)
		}
		if i == 0 || maxShard > 0 && size > 0 && size+n > maxShard {
			shards, size = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		size, total = size+n, total+n
	}
	return shards, total, nil
}
