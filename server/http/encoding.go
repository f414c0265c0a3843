package http

import (
	"net/http"
	"strconv"
	"strings"
)

// negotiate picks the first of the encodings, best ones first, that the client accepts; "" is none of them.
func negotiate(r *http.Request, encodings ...string) string {
	accepted := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // what is no number is no yes
		}
		accepted[strings.ToLower(strings.TrimSpace(name))] = q > 0
	}
	for _, e := range encodings {
		if yes, named := accepted[e]; yes || !named && accepted["*"] {
			return e
		}
	}
	return ""
}
