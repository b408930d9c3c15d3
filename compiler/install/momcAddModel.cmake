# momc_add_model(NAME MODEL.mom [OPTION ...]): a library NAME with the compiled model, its
# header NAME.h and the runtime. Options are those of `momc compile`, such as
# --target sm_90a or --set D=64; the program's symbol is momc_program_NAME.
function(momc_add_model name model)
  get_filename_component(model ${model} ABSOLUTE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name}.momc)
  file(MAKE_DIRECTORY ${folder})
  set(inputs ${model})
  set(before "")
  foreach(option ${ARGN}) # a schedule's path is absolute, or from the build folder
    set(pair ${option})
    if(NOT option MATCHES "^-")
      set(pair ${before}=${option})
    endif()
    if(pair MATCHES "^--?schedule=(.+)$")
      get_filename_component(schedule ${CMAKE_MATCH_1} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
      list(APPEND inputs ${schedule})
    endif()
    set(before ${option})
  endforeach()
  add_custom_command(OUTPUT ${folder}/${name}.o ${folder}/${name}.h
    COMMAND ${momc_EXECUTABLE} compile ${model} --name ${name} -o ${folder}/${name}.o ${ARGN}
    DEPENDS ${inputs} ${momc_EXECUTABLE} VERBATIM)
  add_custom_target(${name}-compiled DEPENDS ${folder}/${name}.o ${folder}/${name}.h)
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}-compiled)
  target_include_directories(${name} INTERFACE ${folder})
  target_link_libraries(${name} INTERFACE ${folder}/${name}.o momc::runtime m)
endfunction()
