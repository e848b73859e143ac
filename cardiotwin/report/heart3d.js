"use strict";
(function () {
  const scene = JSON.parse(document.getElementById("heart-data").textContent);
  const types = { u1: Uint8Array, i2: Int16Array, u4: Uint32Array };

  function unpacked(text, kind) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new types[kind](bytes.buffer);
  }

  function thirds(values) {
    const n = values.length / 3;
    return [values.subarray(0, n), values.subarray(n, 2 * n), values.subarray(2 * n)];
  }

  function look(colouring) {
    return {
      intensity: Array.from(unpacked(colouring.values, colouring.kind), (value) => value * colouring.unit),
      intensitymode: "cell",
      colorscale: colouring.scale,
      cmin: colouring.low,
      cmax: colouring.high,
      colorbar: {
        title: { text: colouring.title }, tickvals: colouring.ticks, ticktext: colouring.texts,
        thickness: 16, len: 0.8, x: 1.0, tickfont: { size: 13 },
      },
    };
  }

  const [x, y, z] = thirds(unpacked(scene.positions, "i2")).map((axis, k) => Array.from(axis, (step) => step / 100 + scene.middle[k]));
  const [i, j, k] = thirds(unpacked(scene.faces, "u4"));
  const surface = Object.assign(
    {
      type: "mesh3d", x, y, z, i, j, k, hoverinfo: "skip", showlegend: false, flatshading: false,
      lighting: { ambient: 0.6, diffuse: 0.7, specular: 0.1, roughness: 0.6, fresnel: 0.1, vertexnormalsepsilon: 0, facenormalsepsilon: 0 },
      lightposition: { x: 100, y: -400, z: 300 },
    },
    look(scene.colourings[0])
  );
  const markers = scene.markers.map((marker) => ({
    type: "scatter3d", mode: "markers", name: marker.name, text: marker.texts, hoverinfo: "text",
    x: marker.positions.map((p) => p[0]), y: marker.positions.map((p) => p[1]), z: marker.positions.map((p) => p[2]),
    marker: { symbol: marker.symbol, size: 7, color: marker.colour, line: { color: "#222", width: 1.5 } },
    visible: marker.hidden ? "legendonly" : true,
  }));
  const none = { visible: false };
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "#fff", uirevision: "kept",
    legend: { x: 0, y: 1, font: { size: 13 }, bgcolor: "rgba(255,255,255,0.8)" },
    scene: {
      aspectmode: "data", xaxis: none, yaxis: none, zaxis: none, dragmode: "orbit",
      camera: { eye: { x: 0, y: -1.35, z: 0.15 }, up: { x: 0, y: 0, z: 1 } },
    },
  };
  const eyes = { A: [0, -1.35, 0], P: [0, 1.35, 0], L: [1.35, 0, 0], R: [-1.35, 0, 0], S: [0, -0.01, 1.35], I: [0, -0.01, -1.35] };

  const place = document.getElementById("heart-3d");
  const choice = document.getElementById("heart-colouring");
  Plotly.newPlot(place, [surface, ...markers], layout, { displaylogo: false, responsive: true, displayModeBar: false });
  scene.colourings.forEach((colouring, index) => choice.add(new Option(colouring.name, String(index))));
  choice.addEventListener("change", () => {
    const next = look(scene.colourings[Number(choice.value)]);
    next.intensity = [next.intensity];
    next.colorscale = [next.colorscale];
    next.colorbar = [next.colorbar];
    Plotly.restyle(place, next, [0]);
  });
  const see = document.getElementById("heart-through");
  see.addEventListener("change", () => Plotly.restyle(place, { opacity: see.checked ? 0.45 : 1 }, [0]));
  document.querySelectorAll("button[data-eye]").forEach((button) =>
    button.addEventListener("click", () => {
      const [ex, ey, ez] = eyes[button.dataset.eye];
      Plotly.relayout(place, { "scene.camera.eye": { x: ex, y: ey, z: ez }, "scene.camera.up": { x: 0, y: 0, z: 1 } });
    })
  );
  document.getElementById("heart-controls").hidden = false;
})();
