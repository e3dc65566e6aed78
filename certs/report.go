package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Reasons of the events that a [Manager] records on the Secret.
const (
	// ReasonCertificateIssued tells of a new serving certificate.
	ReasonCertificateIssued = "CertificateIssued"
	// ReasonCAIntroduced tells of a new CA that does not sign yet.
	ReasonCAIntroduced = "CAIntroduced"
	// ReasonCATookOver tells that the new CA signs from now on.
	ReasonCATookOver = "CATookOver"
	// ReasonCARetired tells that former CAs are trusted no longer.
	ReasonCARetired = "CARetired"
	// ReasonCAAdopted tells that CAs found in a caBundle stay trusted for the overlap.
	ReasonCAAdopted = "CAAdopted"
	// ReasonCABundlePublished tells that a caBundle was changed.
	ReasonCABundlePublished = "CABundlePublished"
	// ReasonSecretRepaired warns that the Secret held something unusable.
	ReasonSecretRepaired = "SecretRepaired"
	// ReasonSecretNotOurs warns that the Secret was not made by us and is left alone.
	ReasonSecretNotOurs = "SecretNotOurs"
	// ReasonClockBehind warns that nothing is signed because the leader's clock is wrong.
	ReasonClockBehind = "ClockBehind"
	// ReasonCABundleContested warns that somebody else keeps changing a caBundle.
	ReasonCABundleContested = "CABundleContested"
)

// reportWritten tells what a write to the Secret changed.
func (m *Manager) reportWritten(ctx context.Context, o observation, st step, after contents) {
	flaws := o.flaws
	if st.action == clean && st.why != "" {
		flaws = append(flaws, st.why)
	}
	if len(flaws) > 0 {
		m.warn(ctx, o.secret, ReasonSecretRepaired, fmt.Sprintf(
			"Secret was damaged: %s; this was replaced or removed, edit nothing in it by hand", strings.Join(flaws, "; ")))
	}
	if len(st.adopt) > 0 {
		m.tell(ctx, o.secret, ReasonCAAdopted, fmt.Sprintf("CA %s was found in a caBundle and stays trusted for %s",
			fingerprints(st.adopt), m.cfg.Overlap))
	}
	switch st.action {
	case introduce:
		m.tell(ctx, o.secret, ReasonCAIntroduced, fmt.Sprintf(
			"Made CA %s because %s; it signs once every caBundle holds it for %s", fingerprint(after.next.cert), st.why, m.cfg.Settle))
	case takeOver:
		m.tell(ctx, o.secret, ReasonCATookOver, fmt.Sprintf(
			"CA %s took over and signed serving certificate %s, valid until %s; former CAs stay trusted for %s",
			fingerprint(after.active.cert), fingerprint(after.leaf.cert), end(after.leaf.cert), m.cfg.Overlap))
	case retire:
		m.tell(ctx, o.secret, ReasonCARetired, fmt.Sprintf("Former CA %s is trusted no longer", fingerprints(o.previous)))
	case bootstrap, issueLeaf:
		m.tell(ctx, o.secret, ReasonCertificateIssued, fmt.Sprintf(
			"Issued serving certificate %s, valid until %s, because %s", fingerprint(after.leaf.cert), end(after.leaf.cert), st.why))
	}
}

// reportPublished tells of a changed caBundle. The event names the configuration as related: without
// it, the API would count the events of several configurations as one and keep the first note only.
func (m *Manager) reportPublished(ctx context.Context, o observation, config configuration, bundle []*x509.Certificate) {
	note := fmt.Sprintf("caBundle of %s now holds CA %s", config, fingerprints(bundle))
	ctrl.LoggerFrom(ctx).Info("Changed serving certificates", "reason", ReasonCABundlePublished, "note", note)
	m.recorder.Eventf(o.secret, config.reference(), corev1.EventTypeNormal, ReasonCABundlePublished, "KeepCertificates", "%s", note)
}

// reportBlocked tells what keeps us from doing anything, and the way out.
func (m *Manager) reportBlocked(ctx context.Context, why action, o observation) {
	if why == leaveAlone {
		m.warnOnce(ctx, o.secret, ReasonSecretNotOurs, fmt.Sprintf(
			"Secret lacks the label %s=%s, so it was not made by Service Catalog and is left as it is; delete it, or choose another name with --cert-secret",
			OwnedLabel, OwnedValue))
		return
	}
	m.warnOnce(ctx, o.secret, ReasonClockBehind, fmt.Sprintf(
		"The leader's clock is more than %s behind the API server's, which wrote at %s; no certificate is made before the clock of its node is set right",
		m.cfg.ClockSkew, o.seen.UTC().Format(time.RFC3339)))
}

// reportContested names the configurations that just now hold something other than bundle.
func (m *Manager) reportContested(ctx context.Context, o observation, bundle []*x509.Certificate) {
	var contested []string
	for _, config := range o.configs {
		if !newTrustStore(config).isExactly(bundle) {
			contested = append(contested, config.String())
		}
	}
	m.warnOnce(ctx, o.secret, ReasonCABundleContested, fmt.Sprintf(
		"Somebody keeps changing a caBundle of %s; find out who in its managedFields and take caBundle out of what they apply. Until then it is written every %s",
		strings.Join(contested, ", "), publishInterval))
}

// noteMissing logs when a webhook configuration is waited for and when it came.
func (m *Manager) noteMissing(ctx context.Context, config configuration, missing bool) {
	if m.awaited[config.String()] == missing {
		return
	}
	m.awaited[config.String()] = missing
	log := ctrl.LoggerFrom(ctx).WithValues("kind", config.kind, "webhookConfiguration", config.GetName())
	if missing {
		log.Info("Waiting for a webhook configuration to be created")
		return
	}
	log.Info("Found the webhook configuration")
}

func (m *Manager) tell(ctx context.Context, secret *corev1.Secret, reason, note string) {
	ctrl.LoggerFrom(ctx).Info("Changed serving certificates", "reason", reason, "note", note)
	m.recorder.Eventf(secret, nil, corev1.EventTypeNormal, reason, "KeepCertificates", "%s", note)
}

func (m *Manager) warn(ctx context.Context, secret *corev1.Secret, reason, note string) {
	ctrl.LoggerFrom(ctx).Error(nil, "Serving certificates need attention", "reason", reason, "note", note)
	m.recorder.Eventf(secret, nil, corev1.EventTypeWarning, reason, "KeepCertificates", "%s", note)
}

// warnOnce tells a standing problem when it begins.
func (m *Manager) warnOnce(ctx context.Context, secret *corev1.Secret, reason, note string) {
	if m.reported != reason {
		m.warn(ctx, secret, reason, note)
	}
	m.reported = reason
}

// reportSettled forgets the standing problem. Winning a caBundle back ends no fight by itself: that
// takes until the tokens for writing it have grown again.
func (m *Manager) reportSettled(now time.Time) {
	if m.reported != ReasonCABundleContested || m.publishes.TokensAt(now) > publishBurst/2 {
		m.reported = ""
	}
}

func fingerprints(certs []*x509.Certificate) string {
	names := make([]string, 0, len(certs))
	for _, crt := range certs {
		names = append(names, fingerprint(crt))
	}
	return strings.Join(names, ", ")
}

func end(crt *x509.Certificate) string { return crt.NotAfter.UTC().Format(time.RFC3339) }
