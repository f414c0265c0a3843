// Package assets is the style and the JavaScript of the page, served as they are.
package assets

import "embed"

// Files are page.css and page.js.
//
//go:embed page.css page.js
var Files embed.FS
