package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// wantedModelFiles is what a model directory needs beside its weights, as far as the repository has it.
var wantedModelFiles = map[string]bool{
	"config.json": true, "generation_config.json": true,
	"tokenizer.json": true, "tokenizer_config.json": true, "special_tokens_map.json": true, "added_tokens.json": true,
	"tokenizer.model": true, "spiece.model": true, "sentencepiece.bpe.model": true, "vocab.json": true, "merges.txt": true, "vocab.txt": true,
	"chat_template.jinja": true, "chat_template.json": true,
	"README.md": true, "LICENSE": true, "LICENSE.txt": true, "LICENSE.md": true, // what the model card of an export speaks of
}

const weightsIndex = "model.safetensors.index.json"

// chooseModel picks the files of a model: weights in safetensors, config, tokenizer, template. The names of the shards stand in
// the index, which is in dir once it has been downloaded; before, it is all that is picked of the weights.
func chooseModel(l listing, dir string) (files []file, more bool, err error) {
	have := map[string]file{}
	for _, f := range l.Files {
		have[f.Path] = f
		if wantedModelFiles[f.Path] || path.Ext(f.Path) == ".tiktoken" && path.Dir(f.Path) == "." {
			files = append(files, f)
		}
	}
	if _, ok := have["config.json"]; !ok {
		if _, ok := have["adapter_config.json"]; ok {
			return nil, false, errors.New("this is an adapter, not a model: " + either("name its base with --model, and this with --adapter", "take its base as the model, and drop the adapter's files on this page to go on from it"))
		}
		return nil, false, notAModel(l, "it has no config.json")
	}
	if f, ok := have["model.safetensors"]; ok {
		return append(files, f), false, nil
	}
	index, ok := have[weightsIndex]
	if !ok {
		return nil, false, notAModel(l, "it has neither model.safetensors nor "+weightsIndex)
	}
	files = append(files, index)
	raw, err := os.ReadFile(filepath.Join(dir, weightsIndex))
	if err != nil {
		return files, true, nil
	}
	var m struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, false, fmt.Errorf("%s: %w", weightsIndex, err)
	}
	var shards []string
	for _, name := range m.WeightMap {
		shards = append(shards, name)
	}
	slices.Sort(shards)
	for _, name := range slices.Compact(shards) {
		f, ok := have[name]
		if !ok || path.Ext(name) != ".safetensors" || path.Base(name)[0] == '.' {
			return nil, false, fmt.Errorf("%s names the file %q, which is no safetensors file of the repository", weightsIndex, name)
		}
		files = append(files, f)
	}
	return files, false, nil
}

// notAModel says what the repository has instead.
func notAModel(l listing, missing string) error {
	for _, f := range l.Files {
		switch ext := path.Ext(f.Path); {
		case ext == ".bin" || ext == ".pt" || ext == ".pth" || ext == ".ckpt":
			return fmt.Errorf("%s: its weights are in %s only, a pickle, which can run any code when it is opened and which Hone does not read. "+
				"Take a repository or revision with safetensors, or convert it once where transformers is installed (AutoModelForCausalLM.from_pretrained(…).save_pretrained(DIR)) and %s", missing, f.Path, either("give --model DIR", "drop the folder DIR on this page"))
		case ext == ".gguf":
			return fmt.Errorf("%s: its weights are in GGUF (%s), which is for inference; take the repository that it was made from", missing, f.Path)
		}
	}
	return fmt.Errorf("%s; it is no model that can be tuned", missing)
}

func chooseAdapter(l listing) ([]file, error) {
	var files []file
	weights := false
	for _, f := range l.Files {
		switch f.Path {
		case "adapter_model.safetensors":
			weights = true
			files = append(files, f)
		case "adapter_config.json", "README.md":
			files = append(files, f)
		}
	}
	if !weights {
		return nil, errors.New("it has no adapter_model.safetensors; adapters in pickle (adapter_model.bin) are not read: save it again with a newer PEFT")
	}
	return files, nil
}

// chooseDataset picks the files with rows: those of a part, those that belong to the name, or those for training, which have to
// lie in one folder to be taken together.
func chooseDataset(l listing, part, prefer string) ([]file, error) {
	var rows, columns, others []file
	for _, f := range l.Files {
		switch ext := strings.ToLower(path.Ext(f.Path)); {
		case isMetadata(f.Path):
		case ext == ".json" || ext == ".jsonl":
			rows = append(rows, f)
		case IsTable(f.Path) && Rows != nil:
			columns = append(columns, f)
		case rowFiles[ext] && ext != ".txt":
			others = append(others, f)
		}
	}
	if part != "" {
		return choosePart(append(rows, columns...), others, part)
	}
	if prefer != "" {
		if picked := keep(rows, func(p string) bool { return matches(prefer, p) }); len(picked) > 0 {
			return picked, nil
		}
	}
	if rows = readable(rows, columns); len(rows) == 0 {
		if len(others) > 0 {
			return nil, failf(errFormat, "its rows are in %s; JSON, JSONL, CSV and Parquet are read: download it, convert it, and %s", others[0].Path, giveRows())
		}
		return nil, errors.New("it has no file with rows (.json, .jsonl, .csv or .parquet)")
	}
	picked := rows
	if train := keep(rows, func(p string) bool { return strings.Contains(strings.ToLower(p), "train") }); len(train) > 0 {
		picked = train
	} else if plain := keep(rows, func(p string) bool { return !isHeldOut(p) }); len(plain) > 0 {
		picked = plain
	}
	for _, f := range picked {
		if path.Dir(f.Path) != path.Dir(picked[0].Path) {
			return nil, fmt.Errorf("it has several sets of rows (%s); say which: org/name:FILE, or org/name:FOLDER", someNames(rows))
		}
	}
	return picked, nil
}

// readable are the rows of a repository in one format: many have the same rows in several.
func readable(rows, columns []file) []file {
	if len(rows) > 0 {
		return rows
	}
	if parquet := keep(columns, func(p string) bool { return strings.HasSuffix(strings.ToLower(p), ".parquet") }); len(parquet) > 0 {
		return parquet
	}
	return columns
}

func choosePart(rows, others []file, part string) ([]file, error) {
	inside := func(p string) bool { return p == part || strings.HasPrefix(p, part+"/") || matches(part, p) }
	picked := keep(rows, inside)
	if train := keep(picked, func(p string) bool { return !isHeldOut(path.Base(p)) }); len(train) > 0 && len(train) < len(picked) {
		picked = train
	}
	if len(picked) > 0 {
		return picked, nil
	}
	if found := keep(others, inside); len(found) > 0 {
		return nil, fmt.Errorf("%s is no JSON, JSONL, CSV or Parquet, which are what is read: download it, convert it, and %s", found[0].Path, giveRows())
	}
	return nil, fmt.Errorf("it has no rows in %q; there are %s", part, someNames(rows))
}

func matches(pattern, p string) bool {
	ok, _ := path.Match(pattern, p)
	return ok
}

func keep(files []file, want func(path string) bool) []file {
	var out []file
	for _, f := range files {
		if want(f.Path) {
			out = append(out, f)
		}
	}
	return out
}

// isMetadata knows the JSON files that hold no rows.
func isMetadata(p string) bool {
	switch strings.ToLower(path.Base(p)) {
	case "dataset_infos.json", "dataset_dict.json", "dataset_info.json", "state.json", "configuration.json", "package.json", "config.json":
		return true
	}
	return strings.HasPrefix(path.Base(p), ".")
}

// isHeldOut knows the files that are meant for evaluation.
func isHeldOut(p string) bool {
	for _, part := range strings.FieldsFunc(strings.ToLower(p), func(r rune) bool { return strings.ContainsRune("/._- ", r) }) {
		switch part {
		case "test", "valid", "validation", "val", "eval", "dev":
			return true
		}
	}
	return false
}

func someNames(files []file) string {
	var names []string
	for _, f := range files[:min(len(files), 6)] {
		names = append(names, f.Path)
	}
	if len(files) > 6 {
		names = append(names, "…")
	}
	if len(names) == 0 {
		return "none at all"
	}
	return strings.Join(names, ", ")
}

// folderFiles are the files with rows of a folder on disk, by the rules of chooseDataset.
func folderFiles(dir, part string) ([]string, error) {
	var l listing
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		l.Files = append(l.Files, file{Path: filepath.ToSlash(rel)})
		if len(l.Files) > 100000 {
			return errors.New("the folder has more than 100000 files; name the files with rows")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	picked, err := chooseDataset(l, part, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range picked {
		out = append(out, filepath.Join(dir, filepath.FromSlash(f.Path)))
	}
	slices.Sort(out)
	return out, nil
}

// checkPaths refuses a repository whose file names could lead out of the directory that they are put into.
func checkPaths(l listing) error {
	seen := map[string]bool{}
	for _, f := range l.Files {
		bad := !fs.ValidPath(f.Path) || f.Path == "." || len(f.Path) > 1000 || strings.ContainsAny(f.Path, "\\\x00") ||
			strings.ContainsFunc(f.Path, func(r rune) bool { return r < ' ' }) || filepath.VolumeName(filepath.FromSlash(f.Path)) != ""
		if bad {
			return fmt.Errorf("the repository lists a file %q: such a name could lead out of its directory, so nothing is downloaded", f.Path)
		}
		if seen[f.Path] {
			return fmt.Errorf("the repository lists the file %q twice", f.Path)
		}
		seen[f.Path] = true
	}
	return nil
}
