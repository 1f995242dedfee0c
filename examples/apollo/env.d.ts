interface ImportMetaEnv {
  readonly VITE_SERVICE?: string
  readonly VITE_TOKENS?: string
}

interface ImportMeta {
  readonly env: ImportMetaEnv
}
