cwlVersion: v1.2
class: CommandLineTool
label: Fine-tuning of a segmentation model
doc: Trains a published segmentation model further on images with masks, measures its accuracy on 
  test images before and after, and writes model cards.
baseCommand:
- finetune
- plugin
- run
- fine-tune
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-fine-tune-plugin:1.2.3
  ResourceRequirement:
    ramMin: 8192
    coresMin: 2
  NetworkAccess:
    networkAccess: true
inputs:
  imageDir:
    type: Directory
    label: Training images
    doc: The images to learn from.
    inputBinding:
      prefix: --imageDir
  maskDir:
    type: Directory
    label: Training masks
    doc: 'Label images with the same names: 0 is background, each object has its own label.'
    inputBinding:
      prefix: --maskDir
  testImageDir:
    type: Directory?
    label: Test images
    doc: Images to measure the accuracy on. Without them, a tenth of the training images is set 
      aside.
    inputBinding:
      prefix: --testImageDir
  testMaskDir:
    type: Directory?
    label: Test masks
    doc: Label images of the test images.
    inputBinding:
      prefix: --testMaskDir
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
    label: Content of the masks
    doc: 'instances: each object has its own label. foreground or boundary: all pixels that are not 0.'
    default: instances
    inputBinding:
      prefix: --labels
  model:
    type: string?
    label: Model to start from
    doc: 'A published model. wipp:unet is trained from scratch and needs no download. One of: wipp:unet,
      bioimageio:affable-shark, cellpose:cyto3, cellpose:cyto2, cellpose:cyto, cellpose:nuclei, cellpose:cyto2_cp3,
      cellpose:tissuenet_cp3, cellpose:livecell_cp3, cellpose:yeast_PhC_cp3, cellpose:yeast_BF_cp3, cellpose:bact_phase_cp3,
      cellpose:bact_fluor_cp3, cellpose:deepbacs_cp3, cellpose:CP, cellpose:CPx, cellpose:TN1, cellpose:TN2,
      cellpose:TN3, cellpose:LC1, cellpose:LC2, cellpose:LC3, cellpose:LC4, cellpose:neurips_grayscale_cyto2,
      cellpose:neurips_cellpose_default, cellpose:cpsam, stardist:unet, stardist:2D_versatile_fluo, stardist:2D_paper_dsb2018,
      sam2:sam2.1-hiera-tiny, sam2:sam2.1-hiera-small, sam2:sam2.1-hiera-base-plus, sam2:sam2.1-hiera-large,
      sam2:sam2-hiera-tiny, sam2:sam2-hiera-small, sam2:sam2-hiera-base-plus, sam2:sam2-hiera-large, huggingface:nvidia/mit-b0,
      huggingface:nvidia/segformer-b0-finetuned-ade-512-512, huggingface:facebook/mask2former-swin-tiny-coco-instance,
      huggingface:facebook/sam-vit-base, huggingface:facebook/sam-vit-large, huggingface:facebook/sam-vit-huge,
      huggingface:facebook/sam2.1-hiera-tiny, torchvision:deeplabv3_resnet50, torchvision:deeplabv3_resnet101,
      torchvision:deeplabv3_mobilenet_v3_large, torchvision:fcn_resnet50, torchvision:fcn_resnet101, torchvision:lraspp_mobilenet_v3_large,
      torchvision:convnext_tiny, torchvision:densenet121, torchvision:efficientnet_b0, torchvision:efficientnet_v2_s,
      torchvision:googlenet, torchvision:mnasnet1_0, torchvision:mobilenet_v2, torchvision:mobilenet_v3_large,
      torchvision:regnet_y_400mf, torchvision:resnet50, torchvision:resnext50_32x4d, torchvision:shufflenet_v2_x1_0,
      torchvision:vgg11, torchvision:wide_resnet50_2.'
    default: wipp:unet
    inputBinding:
      prefix: --model
  modelDir:
    type: Directory?
    label: Model to continue from
    doc: A model that this plugin trained before. It replaces the published model and the target.
    inputBinding:
      prefix: --modelDir
  target:
    type:
    - 'null'
    - type: enum
      symbols:
      - auto
      - foreground
      - boundary
      - foreground_boundary
      - flows
      - rays
      - queries
    label: What the model predicts
    doc: 'auto: what the model was made for. foreground_boundary, flows and rays separate touching objects;
      boundary is for cell borders.'
    default: auto
    inputBinding:
      prefix: --target
  adapt:
    type:
    - 'null'
    - type: enum
      symbols:
      - full
      - head
      - lora
    label: What is trained
    doc: 'full: all weights. head: all except the encoder, for few images. lora: low-rank adapters, for
      large models.'
    default: full
    inputBinding:
      prefix: --adapt
  rank:
    type: int?
    label: LoRA rank
    doc: Rank of the adapters; a larger rank trains more parameters.
    default: 8
    inputBinding:
      prefix: --rank
  epochs:
    type: int?
    label: Epochs
    doc: Number of passes over the training images.
    default: 50
    inputBinding:
      prefix: --epochs
  learningRate:
    type: double?
    label: Learning rate
    doc: Step size of the optimizer. Leave it empty for the default of the model.
    inputBinding:
      prefix: --learningRate
  seed:
    type: int?
    label: Random seed
    doc: The same seed gives the same result on the same machine.
    default: 0
    inputBinding:
      prefix: --seed
arguments:
- prefix: --outputDir
  valueFrom: outputDir
- prefix: --tensorboardDir
  valueFrom: tensorboardDir
- prefix: --scores
  valueFrom: scores
outputs:
  outputDir:
    type: Directory
    doc: The fine-tuned model with its model cards, its record and packages for other programs.
    outputBinding:
      glob: outputDir
  tensorboardDir:
    type: Directory
    doc: Accuracy and loss during training, for TensorBoard and for WIPP's model card.
    outputBinding:
      glob: tensorboardDir
  scores:
    type: Directory
    doc: 'scores.csv: one row per test image, before and after training.'
    outputBinding:
      glob: scores
