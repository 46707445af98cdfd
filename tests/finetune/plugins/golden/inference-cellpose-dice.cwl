cwlVersion: v1.2
$graph:
- id: inference-cellpose
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
    valueFrom: segment-outputDir
  outputs:
    outputDir:
      type: Directory
      doc: 0 is background, each object has a number of its own.
      outputBinding:
        glob: segment-outputDir
- id: dice-segmentationaccuracy
  class: CommandLineTool
  label: Dice and other accuracies of a segmentation
  doc: 'Compares label images with reference label images: Dice, AP, PQ and boundary distance of each
    image.'
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
    valueFrom: score-scores
  outputs:
    scores:
      type: Directory
      doc: 'scores.csv: one row per image, one column per metric.'
      outputBinding:
        glob: score-scores
- class: Workflow
  id: main
  inputs:
    imageDir:
      type: Directory
      label: Images to segment
      doc: Microscopy images, one file each. All have the same channels.
    filePattern:
      type: string?
      label: File name pattern
      doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
        for three digits. .* uses all files.'
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
    modelDir:
      type: Directory?
      label: Model folder
      doc: A fine-tuned model, or weights that were downloaded before. It replaces the published 
        model.
    symmetries:
      type:
      - 'null'
      - type: enum
        symbols:
        - YES
        - NO
      label: Average over rotations
      doc: Average the prediction over 8 rotations and reflections; takes 8 times as long.
    referenceDir:
      type: Directory
      label: Reference
      doc: Reference label images (ground truth) with the same names.
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
    pixelSize:
      type: double?
      label: Pixel size in µm
      doc: Edge length of a pixel in µm; boundary distances are then in µm.
  steps:
    segment:
      run: '#inference-cellpose'
      in:
        imageDir: imageDir
        filePattern: filePattern
        model: model
        modelDir: modelDir
        symmetries: symmetries
      out:
      - outputDir
    score:
      run: '#dice-segmentationaccuracy'
      in:
        referenceDir: referenceDir
        labels: labels
        pixelSize: pixelSize
        predictionDir: segment/outputDir
      out:
      - scores
  outputs:
    outputDir:
      type: Directory
      outputSource: segment/outputDir
    scores:
      type: Directory
      outputSource: score/scores
