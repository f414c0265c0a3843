// Package assets is the style and the JavaScript of the page, served as they are.
package assets

import "embed"

// Files are the style, the script of the page with its modules, and the theme, which comes before all.
//
//go:embed page.css page.js morph.js charts.js files.js theme.js
var Files embed.FS
