package controllers

import "net/url"

// maxDashboardURL is how long a link to a dashboard may be, in bytes. A broker's
// answer may hold megabytes, and a status that cannot be saved is an outcome lost.
const maxDashboardURL = 2048

// dashboardURL is the link that a broker gave (OSB 2.17, P64, P86), or before
// where it gave none that people can follow: an absolute http or https URL of
// bearable length, without a password that every reader of the status would see.
func dashboardURL(given, before *string) *string {
	if given == nil || len(*given) > maxDashboardURL {
		return before
	}
	u, err := url.Parse(*given)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return before
	}
	return given
}
