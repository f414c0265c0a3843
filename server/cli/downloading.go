package cli

import (
	"fmt"
	"time"

	"hone/core/run"
	"hone/core/wire"
)

// download is what was last shown of one.
type download struct {
	file  string
	shown time.Time
}

// downloading shows how a download goes on: drawn over itself on a terminal, elsewhere a line a file and one every ten seconds.
func (p *progress) downloading(e wire.Downloading) {
	text := fmt.Sprintf("downloading %s from %s: %s  %s", e.Name, map[string]string{"hf": "Hugging Face", "ms": "ModelScope"}[e.Hub], e.File, run.Size(e.Done))
	if e.Total > 0 {
		text += fmt.Sprintf(" of %s (%.0f%%)", run.Size(e.Total), 100*float64(e.Done)/float64(e.Total))
	}
	if p.format == "bar" {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		if p.drawn = true; e.Total > 0 && e.Done >= e.Total {
			fmt.Fprintln(p.out)
			p.drawn = false
		}
		return
	}
	if key := e.Name + "/" + e.File; key != p.download.file || time.Since(p.download.shown) > 10*time.Second {
		p.download = download{key, time.Now()}
		p.line("%s", text)
	}
}
