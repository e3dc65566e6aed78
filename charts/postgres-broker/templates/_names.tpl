{{/*
Names, labels and the questions that several templates ask. Every helper takes the
chart's root context.
*/}}

{{/* Name of everything: the release's, unless another is asked for. */}}
{{- define "postgres-broker.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "postgres-broker.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "postgres-broker.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "postgres-broker.fullname" .) -}}
{{- end -}}

{{/* Labels by which Service, policy and Deployment choose the Pods. */}}
{{- define "postgres-broker.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "postgres-broker.labels" -}}
{{ include "postgres-broker.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: service-catalog
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the Pods; nothing overrides the selectors'. */}}
{{- define "postgres-broker.podLabels" -}}
{{- $selected := include "postgres-broker.selectorLabels" . | fromYaml -}}
{{- $told := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/part-of" "service-catalog" -}}
{{- merge $selected .Values.podLabels .Values.commonLabels $told | toYaml -}}
{{- end -}}

{{/* Secrets: the given ones, or those that templates/secrets.yaml makes. */}}
{{- define "postgres-broker.postgresSecret" -}}
{{- .Values.postgres.existingSecret | default (printf "%s-postgres" (include "postgres-broker.fullname" .)) -}}
{{- end -}}
{{- define "postgres-broker.authSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" (include "postgres-broker.fullname" .)) -}}
{{- end -}}
{{- define "postgres-broker.encryptionSecret" -}}
{{- .Values.encryption.existingSecret | default (printf "%s-encryption" (include "postgres-broker.fullname" .)) -}}
{{- end -}}

{{/* Where platforms find the broker. */}}
{{- define "postgres-broker.url" -}}
{{- $scheme := ternary "https" "http" (not (empty .Values.tls.existingSecret)) -}}
{{- $usual := ternary 443 80 (eq $scheme "https") -}}
{{- $port := int .Values.service.port -}}
{{- $host := printf "%s.%s.svc" (include "postgres-broker.fullname" .) .Release.Namespace -}}
{{- ternary (printf "%s://%s" $scheme $host) (printf "%s://%s:%d" $scheme $host $port) (eq $port $usual) -}}
{{- end -}}

{{/* Stops with a sentence when a secret is missing or given twice. Nothing is
generated here: the chart renders the same each time. */}}
{{- define "postgres-broker.checkValues" -}}
{{- with .Values.postgres -}}
{{- if and (not .existingSecret) (not .dsn) -}}
{{- fail "The broker needs PostgreSQL: set postgres.existingSecret to a Secret whose key dsn holds the administrator's DSN (postgres://user:password@host:5432/database?sslmode=require), or set postgres.dsn." -}}
{{- end -}}
{{- if and .existingSecret .dsn -}}
{{- fail "postgres.existingSecret and postgres.dsn are both set: set one of them." -}}
{{- end -}}
{{- end -}}
{{- with .Values.auth -}}
{{- if and (not .existingSecret) (or (not .username) (not .password)) -}}
{{- fail "Platforms must log in: set auth.existingSecret to a Secret with the keys username and password, or set both auth.username and auth.password." -}}
{{- end -}}
{{- if and .existingSecret (or .username .password) -}}
{{- fail "auth.existingSecret is set together with auth.username or auth.password: set the Secret or the values." -}}
{{- end -}}
{{- end -}}
{{- with .Values.encryption -}}
{{- if and (not .existingSecret) (not .keys) -}}
{{- fail "The broker seals the passwords it stores: set encryption.existingSecret to a Secret whose key encryption-key holds the output of `openssl rand -base64 32`, or set encryption.keys." -}}
{{- end -}}
{{- if and .existingSecret .keys -}}
{{- fail "encryption.existingSecret and encryption.keys are both set: set one of them." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.register.caBundle (not .Values.tls.existingSecret) -}}
{{- fail "register.caBundle is set, but the broker serves HTTP: set tls.existingSecret too, or leave it out." -}}
{{- end -}}
{{- end -}}
