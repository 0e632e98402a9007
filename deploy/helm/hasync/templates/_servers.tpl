{{/*
Where secrets and certificates are, and what settings and documents say of it.
The parts are zookeeper, mysql, redis and admin (which has no TLS).
*/}}

{{- define "hasync.secretsDir" -}}/etc/hasync/secrets{{- end -}}

{{/* Whether the Secret of the chart is needed: something was given as a value. */}}
{{- define "hasync.makesSecret" -}}
{{- $given := .Values.secrets | empty | not -}}
{{- range $part := list "zookeeper" "mysql" "redis" "admin" -}}
{{- if include "hasync.given" (dict "root" $ "part" $part) -}}{{- $given = true -}}{{- end -}}
{{- end -}}
{{- if $given -}}true{{- end -}}
{{- end -}}

{{/* The secret of a part that was given as a value, empty when it comes from a Secret. */}}
{{- define "hasync.given" -}}
{{- $auth := (get .root.Values .part).auth -}}
{{- if $auth.enabled -}}
{{- if and .root.Values.demo.enabled (eq .part "mysql") (not .root.Values.mysql.hosts) -}}
{{- .root.Values.demo.password -}}
{{- else -}}
{{- default "" (coalesce $auth.value $auth.password) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secret that all parts share, by default; empty when there is none. */}}
{{- define "hasync.sharedSecret" -}}
{{- if .Values.existingSecret -}}
{{- tpl .Values.existingSecret . -}}
{{- else if include "hasync.makesSecret" . -}}
{{- include "hasync.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* Path of a part's secret in the container; empty when it has none. */}}
{{- define "hasync.secretPath" -}}
{{- $auth := (get .root.Values .part).auth -}}
{{- if $auth.enabled -}}
{{- if $auth.existingSecret -}}
{{- printf "/etc/hasync/auth/%s/%s" .part $auth.key -}}
{{- else if include "hasync.sharedSecret" .root -}}
{{- printf "%s/%s" (include "hasync.secretsDir" .root) $auth.key -}}
{{- else -}}
{{- fail (printf "%s.auth.enabled, but no secret: set existingSecret (key %s), %s.auth.existingSecret or %s.auth.%s" .part $auth.key .part .part (ternary "value" "password" (hasKey $auth "value"))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The tls section of a part, as settings and documents have it; empty without TLS. */}}
{{- define "hasync.tls" -}}
{{- $tls := (get .root.Values .part).tls -}}
{{- if $tls.enabled -}}
{{- if and (ne (empty $tls.certKey) (empty $tls.keyKey)) -}}
{{- fail (printf "%s.tls: certKey and keyKey go together" .part) -}}
{{- end -}}
{{- $dir := printf "/etc/hasync/tls/%s" .part -}}
{{- if $tls.existingSecret -}}
{{- if ne (default "full" $tls.verify) "none" }}
ca: {{ $dir }}/{{ $tls.caKey }}
{{- end }}
{{- if $tls.certKey }}
cert: {{ $dir }}/{{ $tls.certKey }}
key: {{ $dir }}/{{ $tls.keyKey }}
{{- end }}
{{- else if eq .part "zookeeper" -}}
{{- fail "zookeeper.tls.enabled, but no certificates: set zookeeper.tls.existingSecret (key ca.crt)" -}}
{{- end }}
{{- if ne .part "zookeeper" }}
verify: {{ $tls.verify }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Volumes of secrets and certificates. */}}
{{- define "hasync.secretVolumes" -}}
{{- $root := .root }}
{{- with .shared }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- range $part := list "zookeeper" "mysql" "redis" "admin" }}
{{- $values := get $root.Values $part }}
{{- if and $values.auth.enabled $values.auth.existingSecret }}
- name: auth-{{ $part }}
  secret:
    secretName: {{ tpl $values.auth.existingSecret $root }}
    defaultMode: 0440
    items:
      - {key: {{ $values.auth.key | quote }}, path: {{ $values.auth.key | quote }}}
{{- end }}
{{- if and (dig "tls" "enabled" false $values) (dig "tls" "existingSecret" "" $values) }}
- name: tls-{{ $part }}
  secret:
    secretName: {{ tpl $values.tls.existingSecret $root }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}

{{- define "hasync.secretMounts" -}}
{{- $root := . }}
{{- if include "hasync.sharedSecret" . }}
- name: secrets
  mountPath: {{ include "hasync.secretsDir" . }}
  readOnly: true
{{- end }}
{{- range $part := list "zookeeper" "mysql" "redis" "admin" }}
{{- $values := get $root.Values $part }}
{{- if and $values.auth.enabled $values.auth.existingSecret }}
- name: auth-{{ $part }}
  mountPath: /etc/hasync/auth/{{ $part }}
  readOnly: true
{{- end }}
{{- if and (dig "tls" "enabled" false $values) (dig "tls" "existingSecret" "" $values) }}
- name: tls-{{ $part }}
  mountPath: /etc/hasync/tls/{{ $part }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}
