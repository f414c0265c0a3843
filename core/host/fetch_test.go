package host

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/wire"
)

// Models of the page's server are offered until they are here.
func TestServersModels(t *testing.T) {
	at := golden.Own(t, "tiny_llama")
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	var files []map[string]any
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, map[string]any{"path": e.Name(), "size": info.Size()})
		total += info.Size()
	}
	mux := http.NewServeMux()
	mux.Handle("/models/class/tiny/", http.StripPrefix("/models/class/tiny/", http.FileServer(http.Dir(at))))
	mux.HandleFunc("/models/{$}", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"models": []any{map[string]any{"name": "class/tiny", "files": files}, map[string]any{"name": "../../etc", "files": files}}})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	h := open(t, t.TempDir(), func(o *Options) { o.Server.Models = server.URL + "/models/" })
	offers := ask[wire.Offers](h, wire.Offered{}).Models
	if len(offers) != 1 || offers[0].Path != "server:class/tiny" || offers[0].Name != "class/tiny" || offers[0].Bytes != total {
		t.Fatalf("offered are %+v", offers)
	}
	if m := ask[wire.Model](h, wire.Fetch{What: "model", Of: offers[0].Path}); m.Architecture != "llama" || m.Path != "models/class/tiny" {
		t.Errorf("fetched is %+v", m)
	}
	if offers = ask[wire.Offers](h, wire.Offered{}).Models; len(offers) != 0 {
		t.Errorf("offered again are %+v", offers)
	}
	if why := refusal(h, wire.Fetch{What: "model", Of: "server:other"}); !strings.Contains(why, "class/tiny") {
		t.Errorf("a model that is not there: %s", why)
	}
	server.Close()
	if why := refusal(h, wire.Offered{}); !strings.Contains(why, "this page's server") {
		t.Errorf("a server that is gone: %s", why)
	}
}
