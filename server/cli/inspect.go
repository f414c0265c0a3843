package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"
	"text/tabwriter"

	"hone/core/checkpoint"
	"hone/core/nn"
	"hone/core/safetensors"
)

func init() {
	register(command{name: "inspect", args: "DIR|FILE", short: "Show a model's architecture, parameters and types", run: inspect})
}

func inspect(e env, args []string) error {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		fmt.Fprintln(e.out, "Usage: hone inspect DIR|FILE\n\nA model or adapter directory, or a .safetensors file: architecture, parameters by kind, types, and of a file every tensor.")
		return nil
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("usage: hone inspect DIR|FILE: a model directory or a .safetensors file")
	}
	stat, err := os.Stat(args[0])
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("inspect %s: there is no such file or directory; name a model directory, an adapter directory or a .safetensors file", args[0])
	}
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	if !stat.IsDir() {
		f, err := safetensors.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		return listTensors(e, f.Tensors())
	}
	if _, err := os.Stat(args[0] + "/adapter_config.json"); err == nil {
		f, err := safetensors.Open(args[0] + "/adapter_model.safetensors")
		if err != nil {
			return err
		}
		defer f.Close()
		return listTensors(e, f.Tensors())
	}
	base, err := checkpoint.OpenBase(args[0])
	if err != nil {
		return err
	}
	defer base.Close()
	c := base.Model.Config()
	fmt.Fprintf(e.out, "architecture   %s\nlayers         %d\nhidden_size    %d\nheads          %d (key/value %d, head_dim %d)\nvocabulary     %d\npositions      %d\nhead           %s\n",
		c.Architecture, c.Layers, c.HiddenSize, c.Heads, c.KVHeads, c.HeadDim, c.VocabSize, c.MaxPositions, base.Model.Head())
	if c.Quantization != "" {
		fmt.Fprintf(e.out, "quantisation   %s\n", c.Quantization)
	}
	kinds, total := map[nn.Kind]int64{}, int64(0)
	for _, p := range base.Model.Params() {
		n := int64(p.Shape.Elements())
		kinds[p.Kind] += n
		total += n
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(e.out, "\nparameters")
	for _, k := range []nn.Kind{nn.EmbeddingKind, nn.AttentionKind, nn.MLPKind, nn.NormKind, nn.HeadKind} {
		if kinds[k] > 0 {
			fmt.Fprintf(w, "  %s\t%d\t%.1f%%\t\n", k, kinds[k], 100*float64(kinds[k])/float64(total))
		}
	}
	fmt.Fprintf(w, "  in all\t%d\t100.0%%\t\n", total)
	w.Flush()
	fmt.Fprintln(e.out)
	return listTypes(e, base.Weights.Tensors())
}

// listTypes sums the stored elements by type.
func listTypes(e env, tensors []safetensors.Info) error {
	count, bytes := map[string]int64{}, map[string]int64{}
	for _, t := range tensors {
		count[t.DType] += int64(t.Shape.Elements())
		bytes[t.DType] += t.Bytes
	}
	var types []string
	for d := range count {
		types = append(types, d)
	}
	sort.Strings(types)
	for _, d := range types {
		fmt.Fprintf(e.out, "%s: %d elements, %d bytes\n", d, count[d], bytes[d])
	}
	return nil
}

func listTensors(e env, tensors []safetensors.Info) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, t := range tensors {
		fmt.Fprintf(w, "%s\t%s\t%v\n", t.Name, t.DType, t.Shape)
	}
	w.Flush()
	return listTypes(e, tensors)
}
