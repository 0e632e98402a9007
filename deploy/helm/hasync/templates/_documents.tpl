{{/* The names of all streams of the instances, as a JSON list under "names". */}}
{{- define "hasync.streamNames" -}}
{{- $names := concat (keys (default dict .Values.streams)) (default list .Values.streamNames) -}}
{{- if .Values.demo.enabled -}}{{- $names = append $names "shop" -}}{{- end -}}
{{- dict "names" ($names | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{/* The settings of the instances. */}}
{{- define "hasync.settings" -}}
{{- $names := (include "hasync.streamNames" . | fromJson).names -}}
{{- $hosts := .Values.zookeeper.hosts -}}
{{- if and .Values.demo.enabled (not $hosts) -}}
{{- $hosts = list (printf "%s-demo-zookeeper:2181" (include "hasync.fullname" .)) -}}
{{- end -}}
{{- if not $hosts -}}{{- fail "zookeeper.hosts: name the servers of the ensemble, or set demo.enabled to try hasync out" -}}{{- end -}}
{{- if not $names -}}{{- fail "streams: there is none; --set-file streams.orders=orders.yaml, or name them in streamNames" -}}{{- end -}}
{{- $zookeeper := dict "hosts" $hosts "root" .Values.zookeeper.root -}}
{{- with include "hasync.secretPath" (dict "root" . "part" "zookeeper") -}}
{{- $_ := set $zookeeper "auth" (printf "file:%s" .) -}}
{{- end -}}
{{- with include "hasync.tls" (dict "root" . "part" "zookeeper") -}}
{{- $_ := set $zookeeper "tls" (fromYaml .) -}}
{{- end -}}
{{- $http := dict "port" .Values.port -}}
{{- with include "hasync.secretPath" (dict "root" . "part" "admin") -}}
{{- $_ := set $http "admin_token" (printf "file:%s" .) -}}
{{- end -}}
{{- $own := dict "streams" $names "zookeeper" $zookeeper "http" $http -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end -}}

{{/* A stream's document. Takes (dict "root" $ "name" … "value" …). */}}
{{- define "hasync.document" -}}
{{- if kindIs "string" .value -}}
{{- .value | trimSuffix "\n" -}}
{{- else -}}
{{- $stream := omit .value "tables" -}}
{{- $source := mergeOverwrite (include "hasync.source" .root | fromYaml) (deepCopy (default dict .value.source)) -}}
{{- $redis := mergeOverwrite (include "hasync.redis" .root | fromYaml) (deepCopy (default dict .value.redis)) -}}
{{- if not $source.hosts -}}{{- fail (printf "streams.%s: no MySQL; set mysql.hosts or streams.%s.source.hosts" .name .name) -}}{{- end -}}
{{- if not $redis.url -}}{{- fail (printf "streams.%s: no Redis; set redis.url or streams.%s.redis.url" .name .name) -}}{{- end -}}
{{- if not .value.tables -}}{{- fail (printf "streams.%s: no tables" .name) -}}{{- end -}}
{{- $document := merge (dict "source" $source "redis" $redis) $stream (dict "version" 1) -}}
{{- toYaml $document }}
tables:
{{- if kindIs "string" .value.tables }}
  {{- .value.tables | trimSuffix "\n" | nindent 2 }}
{{- else }}
  {{- $tables := toYaml .value.tables }}
  {{- if regexMatch `(?m)^[ -]*"true":` $tables -}}
  {{- fail (printf "streams.%s.tables: YAML reads a bare 'on' as true; write \"on\": in quotes, or give the tables as a text (tables: |)" .name) -}}
  {{- end -}}
  {{- $tables | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* What documents that are maps get of MySQL. */}}
{{- define "hasync.source" -}}
{{- $hosts := .Values.mysql.hosts -}}
{{- if and .Values.demo.enabled (not $hosts) -}}
{{- $hosts = list (printf "%s-demo-mysql:3306" (include "hasync.fullname" .)) -}}
{{- end -}}
hosts: {{ toJson $hosts }}
user: {{ .Values.mysql.auth.username | quote }}
{{- with include "hasync.secretPath" (dict "root" . "part" "mysql") }}
password: file:{{ . }}
{{- end }}
{{- with include "hasync.tls" (dict "root" . "part" "mysql") }}
tls:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* And of Redis. */}}
{{- define "hasync.redis" -}}
{{- $url := .Values.redis.url -}}
{{- if and .Values.demo.enabled (not $url) -}}
{{- $url = printf "redis://%s-demo-redis:6379/0" (include "hasync.fullname" .) -}}
{{- end -}}
url: {{ $url | quote }}
{{- with include "hasync.secretPath" (dict "root" . "part" "redis") }}
{{- with $.Values.redis.auth.username }}
username: {{ . | quote }}
{{- end }}
password: file:{{ . }}
{{- end }}
{{- with include "hasync.tls" (dict "root" . "part" "redis") }}
tls:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* All documents, as data of a ConfigMap. */}}
{{- define "hasync.documents" -}}
{{- $streams := deepCopy (default dict .Values.streams) -}}
{{- if and .Values.demo.enabled (not (hasKey $streams "shop")) -}}
{{- $_ := set $streams "shop" (dict "tables" (.Files.Get "files/demo/tables.yaml")) -}}
{{- end -}}
{{- range $name := keys $streams | sortAlpha }}
{{ $name }}.yaml: |
  {{- include "hasync.document" (dict "root" $ "name" $name "value" (get $streams $name)) | nindent 2 }}
{{- end }}
{{- end -}}
