package hub

import (
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Hosts are the hubs with the hosts that they keep large files on, and a well-known mirror. "*." stands for any name below.
var Hosts = []string{
	"huggingface.co", "*.huggingface.co", "hf.co", "*.hf.co", "hf-mirror.com", "*.hf-mirror.com",
	"modelscope.cn", "*.modelscope.cn", "modelscope.ai", "*.modelscope.ai",
}

// Mirrors are the addresses of hubs that HF_ENDPOINT and MODELSCOPE_ENDPOINT (or MODELSCOPE_DOMAIN) name, the user's own mirrors, by
// the first two of these names. What is no address is left out here; whoever uses a hub is told.
func Mirrors() map[string]string {
	found := map[string]string{}
	for _, variable := range []string{"HF_ENDPOINT", "MODELSCOPE_DOMAIN", "MODELSCOPE_ENDPOINT"} {
		s := os.Getenv(variable)
		if s != "" && !strings.Contains(s, "://") {
			s = "https://" + s
		}
		if u, err := url.Parse(s); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			found[strings.Replace(variable, "DOMAIN", "ENDPOINT", 1)] = strings.TrimRight(s, "/")
		}
	}
	return found
}

// Endpoints are the addresses of Mirrors, each once.
func Endpoints() []*url.URL {
	var found []*url.URL
	mirrors := Mirrors()
	for _, variable := range slices.Sorted(maps.Keys(mirrors)) {
		u, err := url.Parse(mirrors[variable])
		known := func(v *url.URL) bool { return v.Scheme == u.Scheme && v.Host == u.Host }
		if err == nil && !slices.ContainsFunc(found, known) {
			found = append(found, u)
		}
	}
	return found
}
