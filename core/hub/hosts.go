package hub

import (
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

// Endpoints are the addresses of hubs that HF_ENDPOINT, MODELSCOPE_ENDPOINT and MODELSCOPE_DOMAIN name: the user's own mirrors.
// What is no address is left out here; whoever uses a hub is told.
func Endpoints() []*url.URL {
	var found []*url.URL
	for _, variable := range []string{"HF_ENDPOINT", "MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"} {
		s := os.Getenv(variable)
		if s != "" && !strings.Contains(s, "://") {
			s = "https://" + s
		}
		u, err := url.Parse(s)
		known := func(v *url.URL) bool { return v.Scheme == u.Scheme && v.Host == u.Host }
		if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && !slices.ContainsFunc(found, known) {
			found = append(found, u)
		}
	}
	return found
}
