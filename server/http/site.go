package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"golang.org/x/text/language"

	"hone/web/dist"
)

// Place says where a page stands.
type Place struct {
	Language string            // "en", "zh"
	Assets   string            // address of the folder of the release's files, relative to the page
	Models   bool              // whether the server gives out models
	Mirrors  map[string]string // hubs that are asked in the place of the well-known ones, see hub.Mirrors
	Policy   string            // content security policy, for where no header can say it; or ""
}

// Page writes the page, a whole document.
type Page func(ctx context.Context, w io.Writer, p Place) error

// Languages are those that there is a page in; the first is for everybody else.
var Languages = []language.Tag{language.English, language.Chinese}

// site is all that a browser gets of the page, by the path below the root; "" ends the path of a folder. The same files make
// the static site.
type site struct {
	release  *dist.Release
	assets   string              // folder of the release's files under this policy, "a/<hash>/"
	rendered map[string]document // what is not among these files, by path: "index.html", "en/", "zh/", "sw.js"
}

// document is one that is made when the program starts. It may change with every release, under the same address.
type document struct {
	kind string
	etag string
	form map[string][]byte // by encoding; "" is the plain one
}

// newSite renders what is there to render. The policy stands in its documents only where no header can say it.
func newSite(o Options, policyInside bool) (*site, error) {
	if o.Release == nil {
		return nil, dist.ErrNone
	}
	s := &site{release: o.Release, rendered: map[string]document{}}
	// Browsers keep the trainer's script with its headers, for a year, and it is under these that it dials servers. A server that is started
	// with another policy therefore has it at another address.
	policy := o.policy()
	under := sha256.Sum256([]byte(s.release.Hash + "\n" + policy))
	s.assets = "a/" + hex.EncodeToString(under[:8]) + "/"
	if !policyInside {
		policy = ""
	}
	h := sha256.New()
	add := func(path, kind string, content []byte) error {
		d, err := newDocument(kind, content)
		s.rendered[path] = d
		io.WriteString(h, path+" "+d.etag+"\n")
		return err
	}
	var b bytes.Buffer
	if err := choose.Execute(&b, map[string]string{"Script": s.assets + "language.js", "Policy": policy}); err != nil {
		return nil, err
	}
	if err := add("index.html", "index.html", b.Bytes()); err != nil {
		return nil, err
	}
	for _, tag := range Languages {
		var b bytes.Buffer
		if err := o.Page(context.Background(), &b, Place{Language: tag.String(), Assets: "../" + s.assets, Policy: policy, Models: o.Models != "", Mirrors: o.Mirrors}); err != nil {
			return nil, fmt.Errorf("rendering the page in %s: %w", tag, err)
		}
		if err := add(tag.String()+"/", "index.html", b.Bytes()); err != nil {
			return nil, err
		}
	}
	script, err := dist.Scripts.ReadFile("sw.js")
	if err != nil {
		return nil, err
	}
	h.Write(script)
	io.WriteString(h, s.assets)
	files := []string{"index.html"}
	for _, tag := range Languages {
		files = append(files, tag.String()+"/")
	}
	for _, f := range s.release.Files {
		files = append(files, s.assets+f.Path)
	}
	list, err := json.Marshal(map[string]any{"name": hex.EncodeToString(h.Sum(nil)[:8]), "files": files})
	if err != nil {
		return nil, err
	}
	return s, add("sw.js", "sw.js", fmt.Appendf(nil, "const release = %s;\n%s", list, script))
}

// choose is the page in front of the page, for where the server cannot choose the language.
var choose = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{{with .Policy}}<meta http-equiv="Content-Security-Policy" content="{{.}}">
{{end}}<meta name="viewport" content="width=device-width">
<title>Hone</title>
<script src="{{.Script}}" defer></script>
</head>
<body>
<p><a href="en/" hreflang="en" lang="en">English</a></p>
<p><a href="zh/" hreflang="zh" lang="zh">中文</a></p>
</body>
</html>
`))

func newDocument(name string, content []byte) (document, error) {
	sum := sha256.Sum256(content)
	d := document{kind: dist.Type(name), etag: hex.EncodeToString(sum[:8]), form: map[string][]byte{"": content}}
	var err error
	if d.form["br"], err = dist.Brotli(content, 9); err != nil {
		return d, err
	}
	d.form["gzip"], err = dist.Gzip(content)
	return d, err
}

// mount gives every path its handler.
func (s *site) mount(mux *http.ServeMux) {
	matcher := language.NewMatcher(Languages)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // nonsense asks for the first one
		_, at, _ := matcher.Match(wanted...)
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Cache-Control", "no-cache")
		to := "/" + Languages[at].String() + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	for p, d := range s.rendered {
		if strings.HasSuffix(p, "/") {
			mux.HandleFunc("/"+p+"{$}", d.serve) // and ServeMux redirects from /en
		} else {
			mux.HandleFunc("/"+p, d.serve)
		}
	}
	mux.HandleFunc("/"+s.assets, s.serveAsset)
}

func (d document) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	encoding := negotiate(r, "br", "gzip")
	send(w, r, d.kind, d.etag, encoding, d.form[encoding])
}

// serveAsset gives a file of the release: it never changes under its address.
func (s *site) serveAsset(w http.ResponseWriter, r *http.Request) {
	f, ok := s.release.Find(strings.TrimPrefix(r.URL.Path, "/"+s.assets))
	if !ok {
		refuse(w, http.StatusNotFound, "The page has no file %.200s.", path.Base(r.URL.Path))
		return
	}
	var content []byte
	var err error
	encoding := negotiate(r, f.Forms...)
	if encoding != "" {
		content, err = s.release.Form(f, encoding)
	} else {
		content, err = s.release.Plain(f)
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "%v", err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	send(w, r, dist.Type(f.Path), f.SHA256[:16], encoding, content)
}

// send answers with content, or with less where the client has it already.
func send(w http.ResponseWriter, r *http.Request, kind, etag, encoding string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
		h.Set("Content-Length", fmt.Sprint(len(content))) // ServeContent does not say it of what is encoded
		etag += "-" + encoding
		r.Header.Del("Range") // a part of an encoded file is of no use to anybody
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
