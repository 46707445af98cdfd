cwlVersion: v1.2
class: CommandLineTool
label: Segmentation with SAM 2
doc: Segments all objects in images with Segment Anything 2 of Meta.
baseCommand:
- finetune
- plugin
- run
- inference-sam2
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-inference-sam2-plugin:1.2.3
  ResourceRequirement:
    ramMin: 8192
    coresMin: 2
  NetworkAccess:
    networkAccess: true
inputs:
  imageDir:
    type: Directory
    label: Images to segment
    doc: Microscopy images, one file each. All have the same channels.
    inputBinding:
      prefix: --imageDir
  filePattern:
    type: string?
    label: File name pattern
    doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
      for three digits. .* uses all files.'
    default: .*
    inputBinding:
      prefix: --filePattern
  model:
    type:
    - 'null'
    - type: enum
      symbols:
      - sam2.1-hiera-tiny
      - sam2.1-hiera-small
      - sam2.1-hiera-base-plus
      - sam2.1-hiera-large
      - sam2-hiera-tiny
      - sam2-hiera-small
      - sam2-hiera-base-plus
      - sam2-hiera-large
    label: Model
    doc: tiny is the smallest and fastest, large the largest.
    default: sam2.1-hiera-tiny
    inputBinding:
      prefix: --model
  modelDir:
    type: Directory?
    label: Model folder
    doc: A fine-tuned model, or weights that were downloaded before. It replaces the published 
      model.
    inputBinding:
      prefix: --modelDir
  imageSize:
    type: int?
    label: Size of the image for the model
    doc: Images are resized to a square with a side of this many pixels. Smaller is faster, and 
      small objects are lost. It does not apply to a model that finetune trained.
    default: 1024
    inputBinding:
      prefix: --imageSize
  symmetries:
    type:
    - 'null'
    - type: enum
      symbols:
      - YES
      - NO
    label: Average over rotations
    doc: Average the prediction over 8 rotations and reflections; takes 8 times as long.
    default: NO
    inputBinding:
      prefix: --symmetries
arguments:
- prefix: --outputDir
  valueFrom: outputDir
outputs:
  outputDir:
    type: Directory
    doc: 0 is background, each object has a number of its own.
    outputBinding:
      glob: outputDir
