"""Things in: files and manifests become items of a collection.

Read it in this order: `pipeline` is the main path; `sources` says what there is to read;
`reading` reads one file, with `latent.media.decode` for pictures, `latent.media.documents` and
`passages` for texts; `ahead` does so on threads; `batches` embeds and stores. `rows` is the same
path for the rows of `manifests`. `cli` is the command line, `watch` runs the path again when files
change, `export` writes a collection as a manifest, `backups` all there is. Stands on `latent`; does
not know `service`.
"""
