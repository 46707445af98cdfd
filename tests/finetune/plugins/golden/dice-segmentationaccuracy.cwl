cwlVersion: v1.2
class: CommandLineTool
label: Dice and other accuracies of a segmentation
doc: 'Compares label images with reference label images: Dice, AP, PQ and boundary distance of each image.'
baseCommand:
- finetune
- plugin
- run
- dice-segmentationaccuracy
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-dice-segmentationaccuracy-plugin:1.2.3
  ResourceRequirement:
    ramMin: 2048
    coresMin: 2
inputs:
  predictionDir:
    type: Directory
    label: Segmented images
    doc: Label images that a model predicted.
    inputBinding:
      prefix: --predictionDir
  referenceDir:
    type: Directory
    label: Reference
    doc: Reference label images (ground truth) with the same names.
    inputBinding:
      prefix: --referenceDir
  filePattern:
    type: string?
    label: File name pattern
    doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
      for three digits. .* uses all files.'
    default: .*
    inputBinding:
      prefix: --filePattern
  labels:
    type:
    - 'null'
    - type: enum
      symbols:
      - instances
      - foreground
      - boundary
    label: Content of the label images
    doc: 'Content of the label images: instances (one integer each), foreground or boundary (not 0).'
    default: instances
    inputBinding:
      prefix: --labels
  pixelSize:
    type: double?
    label: Pixel size in µm
    doc: Edge length of a pixel in µm; boundary distances are then in µm.
    inputBinding:
      prefix: --pixelSize
arguments:
- prefix: --scores
  valueFrom: scores
outputs:
  scores:
    type: Directory
    doc: 'scores.csv: one row per image, one column per metric.'
    outputBinding:
      glob: scores
