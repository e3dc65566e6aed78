{{/*
Names, labels and the questions that several templates ask. Every helper takes the
chart's root context.
*/}}

{{/* Name of everything: the release's, unless another is asked for. */}}
{{- define "test-broker.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "test-broker.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "test-broker.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "test-broker.fullname" .) -}}
{{- end -}}

{{/* Labels by which Services, policy and Deployment choose the Pod. */}}
{{- define "test-broker.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "test-broker.labels" -}}
{{ include "test-broker.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: service-catalog
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the Pod; nothing overrides the selectors'. */}}
{{- define "test-broker.podLabels" -}}
{{- $selected := include "test-broker.selectorLabels" . | fromYaml -}}
{{- $told := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/part-of" "service-catalog" -}}
{{- merge $selected .Values.podLabels .Values.commonLabels $told | toYaml -}}
{{- end -}}

{{/* Secrets: the given ones, or those that templates/secrets.yaml makes. */}}
{{- define "test-broker.authSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" (include "test-broker.fullname" .)) -}}
{{- end -}}
{{- define "test-broker.adminSecret" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "test-broker.fullname" .)) -}}
{{- end -}}

{{/* Where platforms find the broker. */}}
{{- define "test-broker.url" -}}
{{- $scheme := ternary "https" "http" (not (empty .Values.tls.existingSecret)) -}}
{{- $usual := ternary 443 80 (eq $scheme "https") -}}
{{- $port := int .Values.service.port -}}
{{- $host := printf "%s.%s.svc" (include "test-broker.fullname" .) .Release.Namespace -}}
{{- ternary (printf "%s://%s" $scheme $host) (printf "%s://%s:%d" $scheme $host $port) (eq $port $usual) -}}
{{- end -}}

{{/* Stops with a sentence when a secret is missing or given twice. Nothing is
generated here: the chart renders the same each time. */}}
{{- define "test-broker.checkValues" -}}
{{- with .Values.auth -}}
{{- if and (not .existingSecret) (or (not .username) (not .password)) -}}
{{- fail "Platforms must log in: set auth.existingSecret to a Secret with the keys username and password, or set both auth.username and auth.password." -}}
{{- end -}}
{{- if and .existingSecret (or .username .password) -}}
{{- fail "auth.existingSecret is set together with auth.username or auth.password: set the Secret or the values." -}}
{{- end -}}
{{- end -}}
{{- with .Values.admin -}}
{{- if and (not .existingSecret) (not .token) -}}
{{- fail "The admin endpoint needs a login: set admin.existingSecret to a Secret with the key token, or set admin.token." -}}
{{- end -}}
{{- if and .existingSecret .token -}}
{{- fail "admin.existingSecret and admin.token are both set: set one of them." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.register.caBundle (not .Values.tls.existingSecret) -}}
{{- fail "register.caBundle is set, but the broker serves HTTP: set tls.existingSecret too, or leave it out." -}}
{{- end -}}
{{- end -}}
