package studio

import (
	"strings"
	"testing"

	"hone/core/wire"
)

// A link is taken once: what comes after it is what a page shows that is opened again.
func TestLinkGoes(t *testing.T) {
	b := waiting(t)
	b.begin("http://localhost/en/#recipe?lora_rank=4&model=models%2Ftiny&dataset=bundle%2Fworld.json")
	b.sees("runs", "tiny")
	b.ready()
	if got := b.settings(); got["lora_rank"] != "4" || got["dataset"] != "bundle/world.json" {
		t.Errorf("the link says %v", got)
	}
	b.do("language", "language", "zh")
	b.until("the address in Chinese, with its recipe", func() bool { return strings.HasPrefix(b.url, "http://localhost/zh/#recipe?lora_rank=4") })
	b.do("start")
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	b.until("the plain address", func() bool { return b.url == "http://localhost/zh/" })
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.do("share")
	b.until("a link without data of the user's own", func() bool { return strings.Contains(b.url, "lora_rank=4") && !strings.Contains(b.url, "dataset") })
}
