// Package hubtest is a small hub for tests: it speaks the protocols of Hugging Face and of ModelScope as package hub uses them,
// keeps large files on another host as they do, and can be told to misbehave.
package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Repo is a repository; the same is served on both protocols.
type Repo struct {
	Kind   string // models or datasets
	ID     string
	Files  map[string][]byte
	Gated  bool   // its files need the token
	Hidden bool   // for who has no token, it does not exist
	Commit string // 40 hex digits; Add makes them from the content
}

// Request is what somebody asked for.
type Request struct {
	CDN                               bool // of the other host
	Method                            string
	Path, Query, Range, Authorization string
	Cookie                            string
	Origin                            string // of the page that asks; empty for a program
}

// Server is the hub. Its fields may be changed between requests.
type Server struct {
	URL, CDN string
	Token    string // who sends it may see everything
	Large    int    // files of so many bytes lie on the other host; 0: none
	Pages    bool   // pages of other origins may read what both hosts say, and ask for it as plainly as a page can: without a preflight

	// Misbehaviour. Each is called for every answer with a file's content.
	Status  func(r Request) (code int, retryAfter string) // 0 or 200: none
	Cut     func(r Request) int                           // bytes after which the connection breaks; negative: none
	Content func(path string, data []byte) []byte         // what is sent instead
	Cutting func(r Request)                               // before it breaks, once what comes before is sent
	Pause   func(r Request) time.Duration                 // before the second half
	NoRange bool                                          // ranges are ignored
	List    func(path string, size int64) (string, int64) // what the listing says instead
	Bare    bool                                          // the listing has no sizes or hashes, as on some mirrors

	mu       sync.Mutex
	repos    []*Repo
	requests []Request
}

// New starts a hub that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{Large: 1 << 10}
	hub := httptest.NewServer(s.toPages(s.hub))
	cdn := httptest.NewServer(s.toPages(s.cdn))
	t.Cleanup(hub.Close)
	t.Cleanup(cdn.Close)
	s.URL, s.CDN = hub.URL, strings.Replace(cdn.URL, "127.0.0.1", "localhost", 1)
	return s
}

// toPages says whether pages of other origins may read an answer. What of it they may read beyond its body is what Hugging Face lets
// them: of a file on the other host no more than its length and its kind.
func (s *Server) toPages(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.Pages {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
		if r.Method == http.MethodOptions {
			s.note(r, false)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

// Environ is what a program needs to use the hub for both protocols, with an empty cache.
func (s *Server) Environ(t testing.TB) []string {
	return []string{"HF_ENDPOINT=" + s.URL, "MODELSCOPE_ENDPOINT=" + s.URL, "HONE_HOME=" + t.TempDir(), "HF_HOME=" + t.TempDir(),
		"HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=", "HF_TOKEN_PATH=", "MODELSCOPE_API_TOKEN=", "HF_HUB_OFFLINE=", "TRANSFORMERS_OFFLINE=", "HONE_OFFLINE=", "USE_HF=", "USE_MODELSCOPE_HUB="}
}

// Add puts a repository on the hub; kind is models or datasets.
func (s *Server) Add(kind, id string, files map[string][]byte) *Repo {
	h := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(files[name]))
	}
	r := &Repo{Kind: kind, ID: id, Files: files, Commit: hex.EncodeToString(h.Sum(nil))}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos = append(s.repos, r)
	return r
}

// Requests are those so far, of which the path contains part.
func (s *Server) Requests(part string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if strings.Contains(r.Path+"?"+r.Query, part) {
			out = append(out, r)
		}
	}
	return out
}

func (s *Server) note(r *http.Request, cdn bool) Request {
	q := Request{cdn, r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Range"), r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.Header.Get("Origin")}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, q)
	return q
}

func (s *Server) find(kind, id, revision string) (*Repo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := false
	for _, r := range slices.Backward(s.repos) { // the branch is where the last Add left it
		if r.Kind == kind && r.ID == id {
			known = true
			if revision == "main" || revision == "master" || revision == r.Commit {
				return r, true
			}
		}
	}
	return nil, known
}

// hub answers both protocols: their addresses do not overlap.
func (s *Server) hub(w http.ResponseWriter, r *http.Request) {
	q := s.note(r, false)
	if code, wait := s.status(q); code != 0 {
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		http.Error(w, `{"error":"the test says so"}`, code)
		return
	}
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasPrefix(path, "api/v1/"):
		s.modelScope(w, r, q, strings.Split(path, "/")[2:])
	case strings.HasPrefix(path, "api/"):
		s.huggingFaceInfo(w, r, strings.Split(path, "/")[1:])
	default:
		s.huggingFaceFile(w, r, q, path)
	}
}

func (s *Server) status(q Request) (int, string) {
	if s.Status == nil {
		return 0, ""
	}
	code, wait := s.Status(q)
	if code == http.StatusOK {
		code = 0
	}
	return code, wait
}

func (s *Server) allowed(r *http.Request) bool {
	return s.Token != "" && r.Header.Get("Authorization") == "Bearer "+s.Token
}

func refuse(w http.ResponseWriter, code int, kind, message string) {
	w.Header().Set("X-Error-Code", kind)
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// huggingFaceInfo is /api/<kind>/<org>/<name>/revision/<revision>.
func (s *Server) huggingFaceInfo(w http.ResponseWriter, r *http.Request, parts []string) {
	if len(parts) < 5 || parts[3] != "revision" {
		refuse(w, http.StatusNotFound, "", "no such address")
		return
	}
	repo, known := s.find(parts[0], parts[1]+"/"+parts[2], strings.Join(parts[4:], "/"))
	if repo == nil && known {
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id")
		return
	}
	if repo == nil || repo.Hidden && !s.allowed(r) {
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	siblings := []map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(repo.Files)) {
		data := repo.Files[path]
		listed, n := s.listed(path, data)
		m := map[string]any{"rfilename": listed}
		if r.URL.Query().Get("blobs") == "true" && !s.Bare {
			m["size"], m["blobId"] = n, gitSHA1(data)
			if s.large(data) {
				m["lfs"] = map[string]any{"size": n, "sha256": hexSHA256(data), "pointerSize": 134}
			}
		}
		siblings = append(siblings, m)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"id": repo.ID, "sha": repo.Commit, "gated": repo.Gated, "private": repo.Hidden, "siblings": siblings})
}

// huggingFaceFile is /<org>/<name>/resolve/<revision>/<path>, below /datasets for data sets.
func (s *Server) huggingFaceFile(w http.ResponseWriter, r *http.Request, q Request, path string) {
	kind := "models"
	if rest, ok := strings.CutPrefix(path, "datasets/"); ok {
		kind, path = "datasets", rest
	}
	id, rest, _ := strings.Cut(path, "/resolve/")
	revision, name, _ := strings.Cut(rest, "/")
	repo, _ := s.find(kind, id, revision)
	if repo == nil || repo.Hidden && !s.allowed(r) {
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	if repo.Gated && !s.allowed(r) {
		refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to model "+id+" is restricted")
		return
	}
	data, ok := repo.Files[name]
	if !ok {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	w.Header().Set("X-Repo-Commit", repo.Commit)
	if s.large(data) {
		w.Header().Set("X-Linked-Etag", `"`+hexSHA256(data)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		http.Redirect(w, r, s.CDN+"/"+kind+"/"+id+"/"+repo.Commit+"/"+name+"?signature=x", http.StatusFound)
		return
	}
	w.Header().Set("ETag", `"`+gitSHA1(data)+`"`)
	s.send(w, r, q, name, data)
}

// modelScope is /api/v1/<kind>/<org>/<name>/repo, …/repo/files and …/repo/tree.
func (s *Server) modelScope(w http.ResponseWriter, r *http.Request, q Request, parts []string) {
	say := func(code int, message string, data any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"Code": code, "Success": code == 200, "Message": message, "Data": data, "RequestId": "0"})
	}
	if len(parts) < 4 || parts[3] != "repo" {
		say(http.StatusNotFound, "no such address", nil)
		return
	}
	repo, _ := s.find(parts[0], parts[1]+"/"+parts[2], r.URL.Query().Get("Revision"))
	if repo == nil || repo.Hidden && !s.allowed(r) {
		say(http.StatusNotFound, "record not found", nil)
		return
	}
	if repo.Gated && !s.allowed(r) {
		say(http.StatusForbidden, "no permission", nil)
		return
	}
	if len(parts) == 4 {
		name := r.URL.Query().Get("FilePath")
		data, ok := repo.Files[name]
		switch {
		case !ok:
			say(http.StatusNotFound, "no such file", nil)
		case s.large(data):
			http.Redirect(w, r, s.CDN+"/"+repo.Kind+"/"+repo.ID+"/"+repo.Commit+"/"+name+"?signature=x", http.StatusFound)
		default:
			s.send(w, r, q, name, data)
		}
		return
	}
	if want := map[string]string{"models": "files", "datasets": "tree"}[repo.Kind]; parts[4] != want {
		say(http.StatusNotFound, "no such address", nil)
		return
	}
	files, folders := []map[string]any{}, map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(repo.Files)) {
		data := repo.Files[path]
		if i := strings.LastIndex(path, "/"); i > 0 && !folders[path[:i]] {
			folders[path[:i]] = true
			files = append(files, map[string]any{"Path": path[:i], "Name": path[:i], "Type": "tree", "Size": 0, "Sha256": "", "Revision": repo.Commit})
		}
		listed, n := s.listed(path, data)
		m := map[string]any{"Path": listed, "Name": listed[strings.LastIndex(listed, "/")+1:], "Type": "blob", "Revision": repo.Commit, "CommittedDate": 1700000000}
		if !s.Bare {
			m["Size"], m["Sha256"], m["IsLFS"] = n, hexSHA256(data), s.large(data)
		}
		files = append(files, m)
	}
	if repo.Kind == "datasets" {
		page, _ := strconv.Atoi(r.URL.Query().Get("PageNumber"))
		size, _ := strconv.Atoi(r.URL.Query().Get("PageSize"))
		from := min(len(files), max(0, page-1)*size)
		files = files[from:min(len(files), from+size)]
	}
	say(http.StatusOK, "success", map[string]any{"Files": files, "IsVisual": 0, "LatestCommitter": map[string]any{"Id": "", "ShortId": repo.Commit[:8]}})
}

// cdn is the other host: whoever has the address gets the file, and a token must not come here.
func (s *Server) cdn(w http.ResponseWriter, r *http.Request) {
	q := s.note(r, true)
	if code, wait := s.status(q); code != 0 {
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(code)
		return
	}
	parts := strings.SplitN(strings.Trim(r.URL.Path, "/"), "/", 5)
	if len(parts) < 5 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	repo, _ := s.find(parts[0], parts[1]+"/"+parts[2], parts[3])
	if repo == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", `"`+hexSHA256(repo.Files[parts[4]])[:32]+`-2"`) // the store's own, not the hub's
	s.send(w, r, q, parts[4], repo.Files[parts[4]])
}

// send answers with a file or a range of it, as badly as asked for.
func (s *Server) send(w http.ResponseWriter, r *http.Request, q Request, name string, data []byte) {
	if s.Content != nil {
		data = s.Content(name, data)
	}
	from := 0
	if n, _ := fmt.Sscanf(q.Range, "bytes=%d-", &from); n == 1 && !s.NoRange {
		if tag := r.Header.Get("If-Range"); tag != "" && tag != w.Header().Get("ETag") {
			from = 0
		} else if from >= len(data) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
	} else {
		from = 0
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	body := data[from:]
	if s.Cut != nil {
		if n := s.Cut(q); n >= 0 && n < len(body) {
			w.Write(body[:n])
			w.(http.Flusher).Flush()
			if s.Cutting != nil {
				s.Cutting(q)
			}
			panic(http.ErrAbortHandler)
		}
	}
	if s.Pause != nil {
		if d := s.Pause(q); d > 0 {
			w.Write(body[:len(body)/2])
			w.(http.Flusher).Flush()
			select {
			case <-time.After(d):
			case <-r.Context().Done():
				return
			}
			body = body[len(body)/2:]
		}
	}
	w.Write(body)
}

func (s *Server) large(data []byte) bool { return s.Large > 0 && len(data) >= s.Large }

func (s *Server) listed(path string, data []byte) (string, int64) {
	if s.List == nil {
		return path, int64(len(data))
	}
	return s.List(path, int64(len(data)))
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func gitSHA1(data []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(sum[:])
}
