package http

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hone/core/link"
	"hone/server/auth"
	"hone/server/jobs"
)

// maxPiece is the most that one PUT may carry.
const maxPiece = 4 * link.Piece

// headFile says how much of a file has come.
func (a *API) headFile(w http.ResponseWriter, r *http.Request) {
	who, ok := a.enter(w, r, auth.Run)
	if !ok {
		return
	}
	have, whole, err := a.Files.Have(r.Context(), who.User, r.PathValue("sha"))
	if run := r.URL.Query().Get("run"); err == nil && !whole && run != "" {
		have, whole, err = a.Files.HaveOf(r.Context(), who.User, run, r.PathValue("sha"), have)
	}
	if err != nil {
		a.deny(w, r, err)
		return
	}
	w.Header().Set(link.HeaderHave, strconv.FormatInt(have, 10))
	w.Header().Set(link.HeaderWhole, strconv.FormatBool(whole))
	w.Header().Set("Cache-Control", "no-store")
}

// putFile takes a piece of a file: PUT /files/<sha256>?size=<of the file>&offset=<of the piece>.
func (a *API) putFile(w http.ResponseWriter, r *http.Request) {
	who, ok := a.enter(w, r, auth.Run)
	if !ok {
		return
	}
	q := r.URL.Query()
	size, err1 := strconv.ParseInt(q.Get("size"), 10, 64)
	offset, err2 := strconv.ParseInt(q.Get("offset"), 10, 64)
	switch {
	case err1 != nil || err2 != nil || offset < 0:
		refuse(w, http.StatusBadRequest, "size and offset are missing in the address, or are no numbers.")
		return
	case r.ContentLength > maxPiece:
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestEntityTooLarge, "A piece of %d bytes; send pieces of up to %d.", r.ContentLength, maxPiece)
		return
	}
	have, whole, err := a.Files.Put(r.Context(), who.User, r.PathValue("sha"), size, offset, &steady{http.MaxBytesReader(w, r.Body, maxPiece), http.NewResponseController(w)})
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		err = &jobs.Refusal{Status: http.StatusRequestEntityTooLarge, Text: "The piece is too long."}
	}
	if err != nil {
		w.Header().Set(link.HeaderHave, strconv.FormatInt(have, 10))
		a.deny(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"have": have, "whole": whole})
}

// steady reads a body that may take longer than others, but has to go on coming: who sends nothing for a while is not waited for. After
// its end it has no deadline any more, see bounded.
type steady struct {
	io.Reader
	c *http.ResponseController
}

func (s *steady) Read(p []byte) (int, error) {
	s.c.SetReadDeadline(time.Now().Add(30 * time.Second)) // a test's recorder knows no deadlines
	return s.Reader.Read(p)
}

// getFile gives a file of a run directory, or what is behind an offset of it.
func (a *API) getFile(w http.ResponseWriter, r *http.Request) {
	who, ok := a.enter(w, r, auth.View)
	if !ok {
		return
	}
	id := r.PathValue("model") + "/" + r.PathValue("version")
	blob, in, err := a.Files.Open(r.Context(), who.User, id, r.PathValue("path"))
	if err != nil {
		a.deny(w, r, err)
		return
	}
	defer in.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "private, no-store")
	h.Set("ETag", `"`+blob.SHA256+`"`)
	from, status := int64(0), http.StatusOK
	if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok { // other forms than bytes=N- get the whole file, as the standard allows
		if first, ok := strings.CutSuffix(s, "-"); ok {
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil || n < 0 || n >= blob.Size {
				h.Set("Content-Range", "bytes */"+strconv.FormatInt(blob.Size, 10))
				refuse(w, http.StatusRequestedRangeNotSatisfiable, "The file has %d bytes.", blob.Size)
				return
			}
			from, status = n, http.StatusPartialContent
			h.Set("Content-Range", "bytes "+first+"-"+strconv.FormatInt(blob.Size-1, 10)+"/"+strconv.FormatInt(blob.Size, 10))
		}
	}
	if err := in.Skip(from); err != nil {
		a.deny(w, r, err)
		return
	}
	h.Set("Content-Length", strconv.FormatInt(blob.Size-from, 10))
	w.WriteHeader(status)
	if _, err := io.Copy(w, in); err != nil && r.Context().Err() == nil { // who goes away comes again with an offset
		a.Log.Warn("a file of a run cannot be read", "user", who.User, "run", id, "file", blob.Path, "error", err)
	}
}
