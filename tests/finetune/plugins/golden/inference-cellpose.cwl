cwlVersion: v1.2
class: CommandLineTool
label: Segmentation with Cellpose
doc: Segments cells or nuclei with a model of Cellpose.
baseCommand:
- finetune
- plugin
- run
- inference-cellpose
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-inference-cellpose-plugin:1.2.3
  ResourceRequirement:
    ramMin: 4096
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
      - cyto3
      - cyto2
      - cyto
      - nuclei
      - cyto2_cp3
      - tissuenet_cp3
      - livecell_cp3
      - yeast_PhC_cp3
      - yeast_BF_cp3
      - bact_phase_cp3
      - bact_fluor_cp3
      - deepbacs_cp3
      - CP
      - CPx
      - TN1
      - TN2
      - TN3
      - LC1
      - LC2
      - LC3
      - LC4
      - neurips_grayscale_cyto2
      - neurips_cellpose_default
      - cpsam
    label: Model
    doc: cyto models find whole cells, nuclei finds nuclei, cpsam finds both at any size.
    default: cyto3
    inputBinding:
      prefix: --model
  modelDir:
    type: Directory?
    label: Model folder
    doc: A fine-tuned model, or weights that were downloaded before. It replaces the published 
      model.
    inputBinding:
      prefix: --modelDir
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
